/**
 * Goal: a worker that ends costs at most the rows that ended it, and never rows that were beside them. Method: the
 * scorer with a worker that ends on chosen values (fixtures/crashing-worker.ts).
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { scoreBatch } from '../../modules/inference/src/domain/score-batch.ts';
import type { Scorer } from '../../modules/inference/src/domain/scorer.ts';
import { windowScorer } from '../../modules/inference/src/domain/window-scorer.ts';
import type { EngineModel } from '../../modules/inference/src/engine/engine-model.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';
import {
  aBatch,
  aManifest,
  aModel,
  anAsset,
  options,
} from '../../modules/inference/src/testing/builders.ts';

const WORKER = join(process.cwd(), 'test/inference/fixtures/crashing-worker.ts');
const manifest = aManifest({}, { outputs: { score: 'score' } });
const open: EngineModel[] = [];
let restarts: string[] = [];
afterEach(() => Promise.all(open.splice(0).map((model) => model.close({ drainMs: 0 }))));

async function start(worker = WORKER): Promise<Scorer> {
  restarts = [];
  const model = await anEngine({ workerUrl: pathToFileURL(worker) }).open({
    name: 'm 1',
    modelPath: join(temporaryFolder('worker'), 'marker'),
    onRestart: (reason) => restarts.push(reason),
  });
  open.push(model);
  return windowScorer(model, manifest, 'route');
}
const run = async (scorer: Scorer, ...values: number[]) => [
  ...(await scorer.run(Float32Array.from(values.flatMap((value) => [value, 0])), values.length))
    .score,
];
const score = async (scorer: Scorer, values: number[]) =>
  scoreBatch(
    aBatch([anAsset({ rows: values.map((value) => [value, 0]) })]),
    aModel(manifest, scorer),
    options,
  );

describe('a worker that ends', () => {
  it('fails the run it was in, interrupts the ones that waited, and is there again', async () => {
    const scorer = await start();
    const results = await Promise.allSettled([run(scorer, 1), run(scorer, 666), run(scorer, 2)]);
    expect(
      results.map((result) => (result.status === 'rejected' ? result.reason.code : 'scored')),
    ).toEqual(['scored', 'RUN_CRASHED', 'RUN_INTERRUPTED']);
    expect(await run(scorer, 3)).toEqual([3]);
    expect(restarts).toHaveLength(1);
  });

  it('once does not cost a row', async () => {
    const message = await score(await start(), [1, 667, 3]);
    expect(message.rejected).toEqual([]);
    expect(message.assets[0]?.score).toEqual([1, 667, 3]);
    expect(restarts).toHaveLength(1);
  });

  it('on one row each time costs that row, and no row of batches beside it', async () => {
    const scorer = await start();
    const values = Array.from({ length: 40 }, (_, index) => (index === 29 ? 666 : index));
    const others = Array.from({ length: 10 }, () => score(scorer, [1, 2, 3]));
    const message = await score(scorer, values);
    expect(message.rejected).toMatchObject([{ seq: 30, code: 'MODEL_FAILED' }]);
    expect(message.assets[0]?.seq).toHaveLength(39);
    for (const other of await Promise.all(others)) expect(other.rejected).toEqual([]);
  });

  it('and cannot be started again makes the scorer unavailable, with the reason', async () => {
    const folder = temporaryFolder('worker');
    const marker = join(folder, 'started');
    const file = join(folder, 'once.mjs');
    writeFileSync(
      file,
      `import { existsSync, writeFileSync } from 'node:fs';
       import { parentPort } from 'node:worker_threads';
       if (existsSync(${JSON.stringify(marker)})) process.exit(5);
       writeFileSync(${JSON.stringify(marker)}, '');
       parentPort.on('message', () => process.exit(4));
       parentPort.postMessage({ kind: 'ready', inputs: [{ name: 'window', type: 'float32', shape: ['n', 1, 2] }],
         outputs: [{ name: 'score', type: 'float32', shape: ['n'] }] });`,
    );
    const scorer = await start(file);
    await expect(run(scorer, 1)).rejects.toMatchObject({ code: 'RUN_INTERRUPTED' });
    expect(existsSync(marker)).toBe(true);
    await expect(run(scorer, 1)).rejects.toMatchObject({
      code: 'SCORER_UNAVAILABLE',
      message: expect.stringContaining('exit code 5'),
    });
  });

  it('again and again outside of any run is given up', async () => {
    const folder = temporaryFolder('worker');
    const file = join(folder, 'short.mjs');
    writeFileSync(
      file,
      `import { parentPort } from 'node:worker_threads';
       parentPort.postMessage({ kind: 'ready', inputs: [{ name: 'window', type: 'float32', shape: ['n', 1, 2] }],
         outputs: [{ name: 'score', type: 'float32', shape: ['n'] }] });
       setImmediate(() => process.exit(6));`,
    );
    const scorer = await start(file);
    const code = async () =>
      run(scorer, 1).then(
        () => 'scored',
        (error: { code: string }) => error.code,
      );
    await until(async () => (await code()) === 'SCORER_UNAVAILABLE');
    expect(restarts).toHaveLength(3);
  });

  it('because it was closed fails what is under way and nothing starts again', async () => {
    const scorer = await start();
    const under = run(scorer, 1).catch((error: { code: string }) => error.code);
    await open[0]!.close({ drainMs: 0 });
    expect(['SCORER_UNAVAILABLE', [1]]).toContainEqual(await under);
    await expect(run(scorer, 1)).rejects.toMatchObject({ code: 'SCORER_UNAVAILABLE' });
    expect(restarts).toEqual([]);
  });
});
