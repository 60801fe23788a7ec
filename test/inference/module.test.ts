/**
 * Goal: the module works as a whole, from a message at its input to one at its output, with and without a usable
 * model; and it runs as a process from its sources and from what the image is built of. Method: the module on a host
 * without a hub; then as a process.
 */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { check, DemandsMessage, ScoresMessage } from '@holdfast/contracts';
import type { ModuleHost, RunningModule } from '@holdfast/module-host';
import { planFaults, SIGNALS, simulate } from '@holdfast/pump-loop';
import {
  ChildProcess,
  FakeClock,
  freePort,
  START_MS,
  temporaryFolder,
  until,
} from '@holdfast/testkit';
import type { OutboundMessage } from '@holdfast/transport';
import { afterEach, describe, expect, it } from '@jest/globals';
import fastify from 'fastify';
import { Registry } from 'prom-client';
import { type Environment, type Settings, settings } from '../../modules/inference/src/config.ts';
import { startInference } from '../../modules/inference/src/start-inference.ts';
import { aBatch, anAsset } from '../../modules/inference/src/testing/builders.ts';

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/adapters/onnx-worker.ts'));
const API = { version: '0.1.0', requestWorker: new URL('../oip/request-worker.ts', WORKER) };
const PUMP_LOOP = join(process.cwd(), 'scenarios/pump-loop/bundle');
const silent = { error() {}, warn() {}, info() {}, debug() {} };

let running: RunningModule<Settings> | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await ChildProcess.killAll();
});

async function start(folder: string | undefined) {
  const sent: OutboundMessage[] = [];
  const host = {
    env: { HOLDFAST_MODEL_DIR: folder, HOLDFAST_DATA_DIR: temporaryFolder('inference') },
    settings: settings.parse({}),
    log: silent,
    metrics: new Registry(),
    clock: new FakeClock(),
    send: async (message: OutboundMessage) => {
      sent.push(message);
    },
    connected: () => true,
    http: fastify(),
  } as unknown as ModuleHost<Environment, Settings>;
  running = await startInference(host, WORKER, API);
  const module = running;
  return {
    module,
    sent,
    scores: () =>
      sent
        .filter(({ output }) => output === 'scores')
        .map(({ body }) => JSON.parse(body) as ScoresMessage),
    deliver: (batch: unknown) =>
      module.inputs.readings!({
        input: 'readings',
        body: Buffer.from(JSON.stringify(batch)),
        properties: {},
      }),
  };
}

/** A run of the pump loop with all faults, one batch an asset. */
function pumpLoopBatches(assets: number, seconds: number) {
  const run = { seed: 11, assets, startMs: START_MS, seconds };
  const faults = planFaults(run);
  const rows = [...simulate({ ...run, faults })];
  const names = [...new Set(rows.map((row) => row.asset))];
  const batches = names.map((asset, index) => {
    const own = rows.filter((row) => row.asset === asset);
    const readings = anAsset({
      asset,
      rows: own.map(({ values }) => SIGNALS.map((signal) => values[signal])),
      signals: [...SIGNALS],
      t: own.map(({ t }) => t),
    });
    return aBatch([readings], { stream: `ingest-${index}`, lookback: 11 });
  });
  return { faults, batches };
}

describe('the inference module', () => {
  it('finds each kind of injected fault and leaves the healthy pump alone', async () => {
    const { module, deliver, scores } = await start(PUMP_LOOP);
    const { faults, batches } = pumpLoopBatches(6, 900);
    for (const batch of batches) deliver(batch);
    await module.flush();
    const messages = scores();
    expect(messages).toHaveLength(6);
    for (const message of messages)
      expect(check(ScoresMessage, message)).toMatchObject({ ok: true });
    const warnedWithin = (asset: string, from: number, to: number): number =>
      messages
        .flatMap((message) => message.assets)
        .filter((scored) => scored.asset === asset)
        .flatMap(({ t, level }) =>
          level.filter((one, row) => one > 0 && t[row]! >= from && t[row]! < to),
        ).length;
    for (const { kind, asset, startMs, endMs } of faults) {
      const rows = (endMs - startMs) / 1_000;
      if (kind === 'sensor-missing') {
        const missing = messages
          .flatMap((message) => message.unscored)
          .filter((entry) => entry.asset === asset && entry.code === 'missing-value');
        expect(missing[0]?.seq).toHaveLength(rows);
      } else expect(warnedWithin(asset, startMs, endMs)).toBeGreaterThan(rows * 0.3);
      expect(warnedWithin(asset, 0, startMs)).toBe(0);
    }
    expect(warnedWithin('pump-06', 0, Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(module.status()).toMatchObject({
      model: { name: 'pump-loop' },
      batches: 6,
      rows: 5_400,
      rejected: 0,
      dropped: {},
      queued: 0,
    });
  });

  it('says at each connection how much lookback its model needs', async () => {
    const { module, sent } = await start(PUMP_LOOP);
    sent.length = 0;
    module.onConnected?.();
    await until(() => sent.length === 1);
    expect(sent[0]).toMatchObject({ output: 'demands', properties: { kind: 'demands', v: '1' } });
    expect(check(DemandsMessage, JSON.parse(sent[0]!.body))).toMatchObject({
      ok: true,
      value: { lookback: 11 },
    });
  });

  it('with a broken bundle stays up, says why, and answers every row as unscored', async () => {
    const folder = temporaryFolder('bundle');
    cpSync(PUMP_LOOP, folder, { recursive: true });
    rmSync(join(folder, 'model.onnx'));
    const { module, deliver, scores } = await start(folder);
    expect(module.notReady()).toBe(
      `no model: BUNDLE_FILE_MISSING: model.onnx is missing in ${folder}`,
    );
    expect(module.status()).toMatchObject({
      model: null,
      modelProblem: expect.stringContaining('model.onnx is missing'),
    });
    deliver(
      aBatch([
        anAsset({
          rows: [
            [1, 2],
            [3, 4],
          ],
        }),
      ]),
    );
    await module.flush();
    expect(scores()).toMatchObject([
      { model: null, unscored: [{ code: 'no-model', seq: [1, 2] }] },
    ]);
  });

  it('without a folder says which variable is missing', async () => {
    const { module } = await start(undefined);
    expect(module.notReady()).toBe('no model: HOLDFAST_MODEL_DIR is not set');
  });

  it('takes a new number of threads by loading the model anew, without losing a batch', async () => {
    const { module, deliver, scores } = await start(PUMP_LOOP);
    const { batches } = pumpLoopBatches(2, 200);
    deliver(batches[0]);
    module.apply({ ...settings.parse({}), intraOpNumThreads: 2 });
    deliver(batches[1]);
    await module.flush();
    expect(scores().map((message) => message.model?.name)).toEqual(['pump-loop', 'pump-loop']);
  });
});

describe('the inference process', () => {
  const run = async (file: string, folder: string) => {
    const port = await freePort();
    const child = ChildProcess.start(file, {
      cwd: temporaryFolder('inference'),
      env: {
        HOLDFAST_TRANSPORT: 'none',
        HOLDFAST_HTTP_PORT: String(port),
        HOLDFAST_MODEL_DIR: folder,
        HOLDFAST_DATA_DIR: './data',
      },
    });
    await child.line('Module started');
    const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    return { child, get };
  };

  it('is ready with its model, and ends with 0 on SIGTERM', async () => {
    const { child, get } = await run(
      join(process.cwd(), 'modules/inference/src/main.ts'),
      PUMP_LOOP,
    );
    expect((await get('/readyz')).status).toBe(200);
    expect(await (await get('/status')).json()).toMatchObject({
      module: 'inference',
      model: { name: 'pump-loop' },
    });
    expect(await (await get('/metrics')).text()).toContain('holdfast_inference_batches_queued 0');
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });

  it('is alive but not ready without a usable model', async () => {
    const nowhere = join(temporaryFolder('bundle'), 'nowhere');
    const { get } = await run(join(process.cwd(), 'modules/inference/src/main.ts'), nowhere);
    expect((await get('/healthz')).status).toBe(200);
    const ready = await get('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      reason: expect.stringContaining(`BUNDLE_NO_FOLDER: ${nowhere}`),
    });
  });

  it('runs from what goes into its image', async () => {
    const out = temporaryFolder('image');
    const build = ChildProcess.start(join(process.cwd(), 'scripts/build.ts'), {
      args: ['inference', '--out', out],
    });
    expect({ exit: await build.exited, output: build.output }).toMatchObject({ exit: { code: 0 } });
    const { child, get } = await run(join(out, 'main.js'), PUMP_LOOP);
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/v2/models/pump-loop/ready')).status).toBe(200);
    // Loaded with the first picture only, so a start does not show that it is there.
    const library = join(out, 'library.mjs');
    writeFileSync(library, "await import('sharp'); console.log('loaded');");
    await ChildProcess.start(library).line('loaded');
    expect(await child.stop()).toEqual({ code: 0, signal: null });
  });
});
