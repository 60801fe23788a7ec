/**
 * A forwarder without a hub in a process of its own, which makes its own scores: `POST /test/apply?from=&batches=&mode=`
 * with mode `calm` (scores and rollups) or `alarms` (anomalies above all). `FORWARDER` holds folder, connection and settings.
 */
import type { Level, ScoresMessage } from '@holdfast/contracts';
import { seeded } from '@holdfast/testkit';
import { settings as schema } from '../../../modules/forwarder/src/config.ts';
import { startForwarder } from '../../../modules/forwarder/src/forwarder.ts';
import { aHost } from '../../../modules/forwarder/src/testing/fake-host.ts';
import { MODEL, START_MS } from '../../forwarder/rig.ts';

/** Rows of one batch. */
const ROWS = 1_000;
/** Rows from one anomaly to the next in mode `alarms`: three open it, ten close it. */
const EPISODE = 16;

const { folder, connection, settings } = JSON.parse(process.env.FORWARDER ?? '{}');
const fake = aHost(folder, schema.parse(settings), { connectionString: connection, site: 'caps' });
const module = await startForwarder(fake.host);
const { http } = fake.host;

function batchOf(number: number, mode: string): ScoresMessage {
  const random = seeded(number);
  const first = number * ROWS + 1;
  const seq = Array.from({ length: ROWS }, (_, i) => first + i);
  const level = seq.map((n): Level => (mode === 'alarms' && n % EPISODE < 3 ? 2 : 0));
  const row = level.flatMap((one, i) => (one === 0 ? [] : [i]));
  const above = {
    signals: ['pressure', 'flow'],
    row,
    contribution: row.map(() => [0.25, 0.75]),
    value: row.map(() => [1, null]),
  };
  const asset = {
    asset: 'pump 1',
    seq,
    t: seq.map((n) => START_MS + n * 1_000),
    score: level.map((one) => one + random.next()),
    level,
    ...(row.length === 0 ? {} : { above }),
  };
  const head = { v: 1, kind: 'scores', stream: 'ingest-0', epoch: 'e1' } as const;
  const tail = { base: 0, model: MODEL, acceptedMs: START_MS, rejected: [], unscored: [] };
  return { ...head, first, last: first + ROWS - 1, assets: [asset], ...tail };
}

http.post('/test/apply', (request) => {
  const { from, batches, mode = 'calm' } = request.query as Record<string, string>;
  for (let i = 0; i < Number(batches); i++) {
    const body = Buffer.from(JSON.stringify(batchOf(Number(from) + i, mode)));
    module.inputs.scores!({ input: 'scores', body, properties: {} });
  }
  return module.status();
});
http.post('/test/flush', () => module.flush());
http.get('/test/receipts', () => ({ last: fake.sent.at(-1)?.body ?? null }));
http.get('/status', () => module.status());
console.log(`listening ${await http.listen({ host: '127.0.0.1', port: 0 })}`);
