import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { benchForwarder } from '../../modules/forwarder/bench/forwarder.bench.ts';
import { scoresBody } from '../../modules/forwarder/src/testing/scores.ts';
import { benchInference } from '../../modules/inference/bench/inference.bench.ts';
import { benchJournal } from '../../packages/journal/bench/journal.bench.ts';
import { IngestProcess, TOKEN } from '../../test/ingest/ingest-process.ts';
import { Bodies } from './bodies.ts';
import { throughHub } from './hub-alone.ts';
import { bareMqtt, forked } from './limits/bare-mqtt.ts';
import { bareOnnx } from './limits/bare-onnx.ts';
import { bareDisk, bareSqlite, rateOf } from './limits/bare-sqlite.ts';
import { runLoad } from './measure.ts';
import { percent, type Table } from './report.ts';

/** One stage beside what the thing that it rests on gives without it. */
interface StageFigure {
  stage: string;
  value: number;
  unit: string;
  limitName: string;
  limit: number;
}

/** Stored bytes of a reading of 8 signals in the journal, for a limit that writes as much. */
const STORED_BYTES = 40;

export interface Stages {
  figures: StageFigure[];
  /** Readings a second of the slowest stage that a batched reading passes. */
  slowest: number;
}

/** Every stage alone, on an otherwise idle machine. @param seconds for each figure */
export async function measureStages(seconds: number, say: (line: string) => void): Promise<Stages> {
  const figures: StageFigure[] = [];
  const add = (stage: string, value: number, unit: string, limitName: string, limit: number) => {
    figures.push({ stage, value, unit, limitName, limit });
    say(`${stage}: ${Math.round(value)} ${unit}`);
  };
  const journal = await benchJournal();
  for (const rows of [1, 100, 1_000]) {
    const limit = rows * bareSqlite(rows * STORED_BYTES, seconds);
    const value = journal[`append ${rows} a commit, rows/s`] ?? Number.NaN;
    add(`journal, ${rows} a commit`, value, 'readings/s', 'bare SQLite, same bytes', limit);
  }
  add(
    'bare SQLite, 1 kB a commit',
    bareSqlite(1_000, seconds),
    'commits/s',
    'write and fdatasync',
    bareDisk(1_000, seconds),
  );
  const singles = await ingestAlone(seconds);
  add(
    'ingest alone, single posts',
    singles.value,
    'posts/s',
    'node:http that parses and answers',
    singles.limit,
  );
  await hubStages(seconds, add);
  const forwarder = await benchForwarder();
  const apply = forwarder['8 assets, rows/s'] ?? Number.NaN;
  add(
    'forwarder, 8 assets',
    apply,
    'readings/s',
    'JSON.parse of the same messages',
    jsonOfScores(seconds),
  );
  add(
    'forwarder, 2,700 assets',
    forwarder['2,700 assets, rows/s'] ?? Number.NaN,
    'readings/s',
    'forwarder, 8 assets',
    apply,
  );
  const inference = await benchInference();
  const scored = inference['window of 12 rows, rows/s'] ?? Number.NaN;
  add(
    'inference, windows of 12 rows',
    scored,
    'readings/s',
    'bare ONNX Runtime',
    await bareOnnx(2_048, seconds),
  );
  add(
    'inference, the same',
    scored,
    'readings/s',
    'JSON.parse and stringify of the same readings',
    jsonOfReadings(seconds),
  );
  const batched = journal['append 1000 a commit, rows/s'] ?? Number.NaN;
  return { figures, slowest: Math.min(batched, apply, scored) };
}

async function ingestAlone(seconds: number): Promise<{ value: number; limit: number }> {
  const load = { rows: 1, connections: 64, rate: 0, seconds: seconds * 2, readings: 0 };
  const ingest = await IngestProcess.start();
  const posts = await runLoad({ ...load, port: ingest.port, token: TOKEN });
  await ingest.child.kill();
  const { child, port } = await forked('bare-http-server.ts');
  const bare = await runLoad({ ...load, port, token: TOKEN });
  child.disconnect();
  return { value: posts.posts / posts.seconds, limit: bare.posts / bare.seconds };
}

/** Large messages are what batches make, small ones what single readings make. */
async function hubStages(
  seconds: number,
  add: (stage: string, value: number, unit: string, name: string, limit: number) => void,
): Promise<void> {
  for (const [name, bytes] of [
    ['2 kB', 2_000],
    ['240 kB', MESSAGE_BYTES_MAX - 2_000],
  ] as const) {
    const body = bodyOf(bytes);
    const value = await throughHub(body, seconds);
    add(
      `local hub, messages of ${name}`,
      value,
      'messages/s',
      'bare TLS MQTT, aedes in memory',
      await bareMqtt(body, seconds),
    );
  }
}

/** What readings look like, so that the hub's compression has what it will have. */
function bodyOf(bytes: number): Buffer {
  const bodies = new Bodies({ assets: 8, signals: 8, rows: 4_000, startMs: Date.now() });
  return Buffer.from(bodies.next()).subarray(0, bytes);
}

function jsonOfScores(seconds: number): number {
  const rows = 2_700;
  const body = scoresBody({ first: 1, rows, assets: 8 });
  return rows * rateOf(seconds, () => JSON.parse(body));
}

function jsonOfReadings(seconds: number): number {
  const bodies = new Bodies({ assets: 8, signals: 8, rows: 2_400, startMs: Date.now() });
  const body = bodies.next();
  return bodies.rows * rateOf(seconds, () => JSON.stringify(JSON.parse(body)));
}

export function stagesTable({ figures }: Stages): Table {
  return {
    title: 'Each stage alone, beside its own limit',
    note: 'One process, nothing else running. The limit is what the stage rests on, without the stage, in the same run.',
    columns: ['stage', 'measured', 'unit', 'limit', 'limit gives', 'stage reaches'],
    rows: figures.map(({ stage, value, unit, limitName, limit }) => [
      stage,
      value,
      unit,
      limitName,
      limit,
      percent(value, limit),
    ]),
  };
}
