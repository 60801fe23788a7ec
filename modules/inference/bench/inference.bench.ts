/**
 * The inference stage alone, in this process, without a hub: from message body to scores message, with parsing,
 * checking, windows, the model in its worker, and JSON. Rows per second of wall time; one core does all but the runs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type BundleManifest, MESSAGE_BYTES_MAX, type ReadingsMessage } from '@holdfast/contracts';
import { type SignalName, simulate } from '@holdfast/pump-loop';
import { Registry } from 'prom-client';
import { type LoadedModel, loadModel } from '../src/adapters/load-model.ts';
import { settings } from '../src/config.ts';
import { Counts } from '../src/counts.ts';
import { InferencePipeline } from '../src/pipeline.ts';
import { routeOf } from '../src/testing/a-route.ts';
import { anEngine } from '../src/testing/an-engine.ts';
import { writeBundle } from '../src/testing/write-bundle.ts';

const engine = anEngine({ workerUrl: new URL('../src/adapters/onnx-worker.ts', import.meta.url) });
const PUMP_LOOP = new URL('../../../scenarios/pump-loop/bundle', import.meta.url).pathname;
const ASSETS = 10;
const SECONDS = 2;
const START_MS = 1_780_000_000_000;
const quiet = { error: console.error, warn: console.error, info() {}, debug() {} };

/** Figures by name, the unit at the end of the name. */
export async function benchInference(): Promise<Record<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const signals = Array.from({ length: 8 }, (_, index) => `s${index}`);
    const golden = [{ name: 'zero', input: [Array(8).fill(0) as number[]], score: 0.030776 }];
    const manifest = { levels: { warning: 1e6, alarm: 2e6 } };
    writeBundle(folder, { model: 'autoencoder', signals, golden, manifest });
    return {
      ...(await measure('window of 1 row', await load(folder), wave)),
      ...(await measure('window of 12 rows', await load(PUMP_LOOP), pumps(1))),
      ...(await measure('window of 12 rows, all alarms', await load(PUMP_LOOP), pumps(1.5))),
      'resident memory of the bench, MB': Math.round(process.memoryUsage.rss() / 1e6),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const load = (folder: string): Promise<LoadedModel> =>
  loadModel({ engine, folder, onRestart: console.error });

async function measure(
  name: string,
  model: LoadedModel,
  value: Values,
): Promise<Record<string, number>> {
  const body = Buffer.from(JSON.stringify(batchFor(model.manifest, value)));
  const counts = new Counts(new Registry(), () => 0);
  const pipeline = new InferencePipeline({
    settings: settings.parse({}),
    send: () => Promise.resolve(),
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    log: quiet,
    counts,
    route: routeOf(() => model, console.error),
  });
  const run = async (ms: number): Promise<number> => {
    const before = counts.rows;
    const end = performance.now() + ms;
    while (performance.now() < end) {
      while (pipeline.queued < 16) pipeline.accept(body);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await pipeline.idle();
    return counts.rows - before;
  };
  await run(500);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const start = performance.now();
  const cpu = process.cpuUsage();
  delay.enable();
  const rows = await run(SECONDS * 1_000);
  const seconds = (performance.now() - start) / 1_000;
  const used = process.cpuUsage(cpu);
  await model.close();
  if (counts.scored !== counts.rows) throw new Error(`${counts.rows - counts.scored} not scored`);
  return {
    [`${name}, rows/s`]: Math.round(rows / seconds),
    [`${name}, rows/s per core used`]: Math.round(rows / ((used.user + used.system) / 1e6)),
    [`${name}, event loop p99, ms`]: Math.round(delay.percentile(99) / 1e4) / 100,
  };
}

type Values = (signal: string, asset: number, row: number) => number;

/** As many rows as a message holds, each asset with its lookback. */
function batchFor({ inputs }: BundleManifest, value: Values): ReadingsMessage {
  const { signals, rows } = inputs;
  const build = (count: number): ReadingsMessage => {
    const perAsset = Math.ceil(count / ASSETS);
    const columns = (asset: number, from: number, to: number) => ({
      t: Array.from({ length: to - from }, (_, row) => START_MS + (from + row) * 1_000),
      values: signals.map(({ name }) =>
        Array.from({ length: to - from }, (_, row) => value(name, asset, from + row)),
      ),
    });
    return {
      v: 1,
      kind: 'readings',
      base: 0,
      stream: 'ingest-0',
      epoch: 'bench',
      first: 1,
      last: perAsset * ASSETS,
      lookback: rows - 1,
      acceptedMs: START_MS,
      assets: Array.from({ length: ASSETS }, (_, asset) => ({
        asset: `pump-${asset}`,
        signals: signals.map((signal) => signal.name),
        seq: Array.from({ length: perAsset }, (_, row) => row * ASSETS + asset + 1),
        ...columns(asset, rows - 1, rows - 1 + perAsset),
        lookback: columns(asset, 0, rows - 1),
      })),
    };
  };
  const probe = JSON.stringify(build(1_000)).length / 1_000;
  return build(Math.floor((MESSAGE_BYTES_MAX * 0.97) / probe));
}

const wave: Values = (signal, asset, row) =>
  Number((20 + Math.sin(row * (signal.length + 1) + asset)).toPrecision(6));

/** Normal running, or pumps of which all rows are above the alarm level: the largest messages there are. */
function pumps(scale: number): Values {
  const rows = [...simulate({ seed: 1, assets: ASSETS, startMs: START_MS, seconds: 500 })];
  return (signal, asset, row) =>
    Number(
      ((rows[row * ASSETS + asset]!.values[signal as SignalName] ?? 0) * scale).toPrecision(6),
    );
}

if (import.meta.main) {
  for (const [name, value] of Object.entries(await benchInference())) console.log(name, value);
}
