/**
 * Goal: an operator can answer "which model, since when, why not the new one" from the status, from the twin and from the
 * metrics, and act by direct methods. Method: the module as a process on the local edge's hub, its twin changed from
 * outside as a deployment would.
 */
import { join } from 'node:path';
import { NO_KEYS, verifyBundle } from '@holdfast/model-bundle';
import { ChildProcess, freePort, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, expect, it } from '@jest/globals';
import { writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';
import { LocalHub } from '../conformance/local-hub.ts';

let hub: LocalHub;
afterEach(async () => {
  await ChildProcess.killAll();
  await hub.close();
});

const write = (version: string, golden = 5): string =>
  writeBundle(temporaryFolder('bundle'), {
    model: 'sum',
    signals: ['a', 'b'],
    golden: [{ name: 'five', input: [[5, 0]], score: golden }],
    manifest: { name: 'm', version },
  });
const wanted = async (folder: string) => ({
  pump: { ref: folder, digest: (await verifyBundle(folder, NO_KEYS)).identity.digest },
});
const slotOf = (document: Record<string, unknown>, slot = 'pump') =>
  (document.models as Record<string, Record<string, unknown>> | undefined)?.[slot];

it('which model, since when, and why not the new one', async () => {
  hub = await LocalHub.open();
  const port = await freePort();
  const child = ChildProcess.start(join(process.cwd(), 'modules/inference/src/main.ts'), {
    cwd: temporaryFolder('inference'),
    env: {
      ...hub.environment(),
      HOLDFAST_HTTP_PORT: String(port),
      HOLDFAST_MODEL_DIR: write('1'),
      HOLDFAST_DATA_DIR: './data',
    },
  });
  await child.line('Module started');
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  const status = async () => (await (await get('/status')).json()) as Record<string, unknown>;
  const reported = async (slot?: string) => slotOf(await hub.reported(), slot);
  const ready = async () => (await get('/readyz')).status;

  await until(async () => (await reported('mounted'))?.state === 'ready');
  expect(await reported('mounted')).toMatchObject({ role: 'active', model: { version: '1' } });

  await hub.desire({ models: await wanted(write('2', 7)) });
  await until(async () => (await reported())?.state === 'refused');
  expect(await reported()).toMatchObject({
    next: { version: '2', code: 'BUNDLE_GOLDEN', reason: expect.stringContaining('within') },
  });
  expect(await reported('mounted')).toMatchObject({ state: 'ready', model: { version: '1' } });
  expect(await status()).toMatchObject({
    model: { version: '1' },
    models: {
      mounted: { serves: { version: '1', since: expect.stringMatching(/^\d{4}-.*Z$/) } },
      pump: { serves: null, next: { state: 'refused', reason: expect.stringContaining('within') } },
    },
  });
  expect(await ready()).toBe(200);

  const good = await wanted(write('3'));
  await hub.desire({ models: good });
  await until(async () => (await reported())?.state === 'ready');
  await until(async () => (await reported('mounted')) === undefined);
  expect(slotOf(await status())).toMatchObject({ serves: { ...good.pump, version: '3' } });
  const metrics = await (await get('/metrics')).text();
  expect(metrics).toContain(
    `holdfast_inference_model_info{slot="pump",role="active",name="m",version="3",digest="${good.pump.digest}"} 1`,
  );
  expect(metrics).toContain('holdfast_inference_model_refusals_total{code="BUNDLE_GOLDEN"} 1');

  expect(await hub.invoke('model-rollback', { slot: 'pump' })).toMatchObject({ status: 409 });
  await hub.desire({ models: await wanted(write('4')) });
  await until(async () => ((await reported())?.model as { version?: string })?.version === '4');
  expect(await hub.invoke('model-rollback', { slot: 'pump' })).toMatchObject({ status: 200 });
  await until(async () => ((await reported())?.model as { version?: string })?.version === '3');
  expect(await reported()).toMatchObject({
    next: { state: 'rolled-back', version: '4', reason: 'rolled back by hand' },
  });
  const list = await hub.invoke('models', {});
  expect(list).toMatchObject({ status: 200, payload: { pump: { serves: { version: '3' } } } });
  expect(await ready()).toBe(200);
  expect(await child.stop()).toEqual({ code: 0, signal: null });
}, 60_000);
