/**
 * The HTTP API alone, in this process, with real models: requests a second as JSON and as binary data, what it adds to
 * the time of a run, and how long others wait while the largest bodies that are allowed come in. The load is made in a
 * thread, so on a machine of two cores one is the server's.
 */
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { loadModel } from '../src/adapters/load-model.ts';
import { settings } from '../src/config.ts';
import type { ModelRunner } from '../src/domain/model-runner.ts';
import { windowScorer } from '../src/domain/window-scorer.ts';
import { InferenceApi } from '../src/oip/api.ts';
import { anEngine } from '../src/testing/an-engine.ts';
import { anEntry, FakeCatalog } from '../src/testing/fake-catalog.ts';
import type { Load, LoadResult } from './http-load.ts';

const PUMP_LOOP = new URL('../../../scenarios/pump-loop/bundle', import.meta.url).pathname;
const DIGITS = new URL('../../../test/inference/fixtures/digits.onnx', import.meta.url).pathname;
const WORKER = new URL('../src/adapters/onnx-worker.ts', import.meta.url);
const REQUEST_WORKER = new URL('../src/oip/request-worker.ts', import.meta.url);
const CONNECTIONS = 16;
/** Numbers in the largest JSON that is allowed, about 8 MB. */
const LARGE_ROWS = 850_000 / 784;

type Figures = Record<string, number>;

/** Figures by name, the unit at the end of the name. */
export async function benchHttp(ms = 2_000): Promise<Figures> {
  const engine = anEngine({ workerUrl: WORKER });
  const pumpLoop = await loadModel({ engine, folder: PUMP_LOOP, onRestart: console.error });
  const models: Record<string, ModelRunner> = {
    'pump loop': pumpLoop.runner,
    digits: await engine.open({ name: 'digits', modelPath: DIGITS }),
  };
  const server = await serve(models);
  const figures: Figures = {};
  for (const [name, runner] of Object.entries(models)) {
    const alone = await medianOf(runner, ms / 4);
    for (const form of ['JSON', 'binary'] as const) {
      const request = requestFor(name, runner, form, 1);
      await server.load({ ...request, connections: 1, ms: ms / 4 });
      const one = await server.load({ ...request, connections: 1, ms: ms / 2 });
      const many = await server.load({ ...request, connections: CONNECTIONS, ms });
      figures[`${name}, ${form}, ${CONNECTIONS} connections, requests/s`] = perSecond(many);
      figures[`${name}, ${form}, ${CONNECTIONS} connections, p99, ms`] = quantile(many, 0.99);
      figures[`${name}, ${form}, 1 connection, p50, ms`] = quantile(one, 0.5);
      figures[`${name}, ${form}, added to a run, p50, ms`] = round(quantile(one, 0.5) - alone);
    }
  }
  Object.assign(
    figures,
    await underLargeBodies(server, requestFor('digits', models.digits!, 'JSON', LARGE_ROWS), ms),
  );
  await server.stop();
  await engine.close();
  return figures;
}

interface Server {
  load(load: Omit<Load, 'port'>): Promise<LoadResult>;
  stop(): Promise<void>;
}

async function serve(models: Record<string, ModelRunner>): Promise<Server> {
  const catalog = new FakeCatalog();
  for (const [name, runner] of Object.entries(models)) catalog.list.push(anEntry(name, runner));
  const http: FastifyInstance = fastify({ forceCloseConnections: true });
  const api = new InferenceApi(
    {
      ...{ http, catalog, version: '1', token: undefined, metrics: new Registry() },
      workerUrl: REQUEST_WORKER,
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      log: { error: console.error, warn() {}, info() {}, debug() {} },
      scorerOf: ({ runner, manifest }) => windowScorer(runner, manifest, 'http'),
    },
    settings.parse({}),
  );
  await api.register();
  http.get('/healthz', () => ({ status: 'alive' }));
  await http.listen({ host: '127.0.0.1', port: 0 });
  const { port } = http.server.address() as AddressInfo;
  return {
    load: (load) => loadFrom({ ...load, port }),
    stop: async () => {
      await http.close();
      await api.close();
    },
  };
}

function loadFrom(load: Load): Promise<LoadResult> {
  const worker = new Worker(new URL('./http-load.ts', import.meta.url), { workerData: load });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** What a health check waits, and the event loop, while all connections send the largest JSON without a pause. */
async function underLargeBodies(
  server: Server,
  large: Pick<Load, 'path' | 'headers' | 'body'>,
  ms: number,
): Promise<Figures> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const busy = server.load({ ...large, connections: 4, ms });
  delay.enable();
  const health = await server.load({
    ...{ method: 'GET', path: '/healthz', headers: {}, body: new Uint8Array(), connections: 1 },
    ms,
  });
  delay.disable();
  const result = await busy;
  return {
    'bodies of 8 MB JSON on 4 connections, requests/s': perSecond(result),
    'meanwhile /healthz, p50, ms': quantile(health, 0.5),
    'meanwhile /healthz, p99, ms': quantile(health, 0.99),
    'meanwhile event loop, p99, ms': round(delay.percentile(99) / 1e6),
  };
}

/** Median of runs one after the other, without HTTP, in ms. */
async function medianOf(runner: ModelRunner, ms: number): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const [spec] = runner.inputs;
    const shape = shapeOf(runner, 1);
    const data = new Float32Array(shape.reduce((all, size) => all * size, 1)).fill(0.5);
    const startMs = performance.now();
    const inputs = [{ name: spec!.name, datatype: 'FP32', shape, data } as const];
    await runner.run({ inputs, work: 'http' });
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)]!;
}

const shapeOf = ({ inputs }: ModelRunner, rows: number): number[] =>
  inputs[0]!.shape.map((size) => (size < 0 ? Math.floor(rows) : size));

function requestFor(
  model: string,
  runner: ModelRunner,
  form: 'JSON' | 'binary',
  rows: number,
): Pick<Load, 'path' | 'headers' | 'body'> {
  const { name, datatype } = runner.inputs[0]!;
  const shape = shapeOf(runner, rows);
  const data = Float32Array.from(
    { length: shape.reduce((all, size) => all * size, 1) },
    (_, at) => Math.round(1e6 * Math.abs(Math.sin(at))) / 1e6,
  );
  const path = `/v2/models/${encodeURIComponent(model)}/infer`;
  if (form === 'JSON') {
    const values = Array.from(data, (value) => Number(value.toPrecision(7)));
    const body = Buffer.from(JSON.stringify({ inputs: [{ name, datatype, shape, data: values }] }));
    return { path, body, headers: { 'content-type': 'application/json' } };
  }
  const head = Buffer.from(
    JSON.stringify({
      parameters: { binary_data_output: true },
      inputs: [{ name, datatype, shape, parameters: { binary_data_size: data.byteLength } }],
    }),
  );
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(head.length),
  };
  return { path, headers, body: Buffer.concat([head, Buffer.from(data.buffer)]) };
}

const perSecond = ({ requests, ms }: LoadResult): number =>
  Math.round((requests / ms) * 10_000) / 10;
const quantile = ({ latencies }: LoadResult, part: number): number =>
  round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * part))] ?? 0);
const round = (value: number): number => Math.round(value * 1_000) / 1_000;

if (import.meta.main) {
  for (const [name, value] of Object.entries(await benchHttp())) console.log(name, value);
}
