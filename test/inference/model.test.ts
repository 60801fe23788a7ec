/**
 * Goal: a bundle that must not be used is refused by name, and one that may gives its scores in a real worker with
 * the real runtime. Method: tiny ONNX models from fixtures/, bundles written around them and broken one way each.
 */
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BundleManifest } from '@holdfast/contracts';
import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type LoadedModel, loadModel } from '../../modules/inference/src/adapters/load-model.ts';
import { scoreBatch } from '../../modules/inference/src/domain/score-batch.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';
import { aBatch, anAsset, options } from '../../modules/inference/src/testing/builders.ts';
import { type BundleParts, writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';
import { declared, model, node } from '../../packages/model-bundle/src/testing/onnx-writer.ts';

const open: LoadedModel[] = [];
afterEach(() => Promise.all(open.splice(0).map((model) => model.close())));

async function load(folder: string, workerUrl?: URL): Promise<LoadedModel> {
  const engine = anEngine(workerUrl === undefined ? {} : { workerUrl });
  const model = await loadModel({ engine, folder });
  open.push(model);
  return model;
}
const sum: BundleParts = {
  model: 'sum',
  signals: ['a', 'b'],
  contributions: true,
  golden: [{ name: 'three and four', input: [[3, 4]], score: 7, contributions: [9 / 25, 16 / 25] }],
};
const bundle = (change: Partial<BundleParts> = {}): string =>
  writeBundle(temporaryFolder('bundle'), { ...sum, ...change });
const refusal = (folder: string): Promise<{ code: string; message: string }> =>
  load(folder).then(
    () => {
      throw new Error('the bundle was accepted');
    },
    (error: unknown) => error as { code: string; message: string },
  );

describe('a model', () => {
  it('scores all rows of a batch with shares for those above the warning level', async () => {
    const model = await load(bundle());
    const message = await scoreBatch(
      aBatch([
        anAsset({
          rows: [
            [1, 2],
            [3, 4],
            [6, 8],
          ],
        }),
      ]),
      model,
      options,
    );
    expect(message.model).toEqual(model.identity);
    expect(message.assets[0]).toMatchObject({
      score: [3, 7, 14],
      level: [0, 1, 2],
      above: {
        row: [1, 2],
        contribution: [
          [0.36, 0.64],
          [0.36, 0.64],
        ],
      },
    });
  });

  it('takes weights from a file of its bundle', async () => {
    const input = [
      [1, 9],
      [2, 9],
      [3, 9],
    ];
    const parts = {
      model: 'external',
      contributions: false,
      rows: 3,
      beside: ['external.weights'],
    };
    // The runtime gives the golden output, so the weights came from the right place of the file.
    const loaded = await load(bundle({ ...parts, golden: [{ name: 'units', input, score: 321 }] }));
    expect(loaded.identity.name).toBe('external');
  });

  it('gets its windows oldest row first', async () => {
    const golden = [
      {
        name: 'units',
        input: [
          [1, 9],
          [2, 9],
          [3, 9],
        ],
        score: 321,
      },
    ];
    const model = await load(bundle({ model: 'positions', rows: 3, contributions: false, golden }));
    const asset = anAsset({
      rows: [
        [4, 0],
        [5, 0],
      ],
      lookback: {
        rows: [
          [2, 0],
          [3, 0],
        ],
      },
    });
    const message = await scoreBatch(aBatch([asset], { lookback: 2 }), model, options);
    expect(message.assets[0]?.score).toEqual([432, 543]);
  });

  it('that fails on one row costs that row only', async () => {
    const golden = [{ name: 'five', input: [[5, 0]], score: 0.5 }];
    const model = await load(bundle({ model: 'lookup', contributions: false, golden }));
    const rows = Array.from({ length: 200 }, (_, row) => [row === 123 ? 99 : row % 10, 0]);
    const message = await scoreBatch(aBatch([anAsset({ rows })]), model, options);
    expect(message.rejected).toMatchObject([{ seq: 124, code: 'MODEL_FAILED' }]);
    expect(message.rejected[0]?.detail).toContain('indices element out of data bounds');
    expect(message.assets[0]?.seq).toHaveLength(199);
    expect(message.assets[0]?.score.slice(0, 3)).toEqual([0, 0.1, 0.2]);
  });

  it('gives the same bytes for the same batch again', async () => {
    const model = await load(join(process.cwd(), 'scenarios/pump-loop/bundle'));
    const signals = model.manifest.inputs.signals.map((signal) => signal.name);
    const rows = Array.from({ length: 300 }, (_, row) =>
      signals.map((_, s) => 20 + Math.sin(row * (s + 1))),
    );
    const batch = aBatch([anAsset({ rows, signals })], { lookback: 11 });
    const first = JSON.stringify(await scoreBatch(batch, model, options));
    const parts = await scoreBatch(batch, model, { ...options, windowsPerRunMax: 17 });
    expect(JSON.stringify(await scoreBatch(batch, model, options))).toBe(first);
    expect(JSON.stringify(parts)).toBe(first);
  });
});

describe('a bundle is refused', () => {
  it('without one of its files', async () => {
    const folder = bundle();
    rmSync(join(folder, 'golden.json'));
    expect(await refusal(folder)).toMatchObject({ code: 'BUNDLE_FILE_MISSING' });
  });

  it('with a file that was changed after it was made', async () => {
    const folder = bundle();
    appendFileSync(join(folder, 'model.onnx'), ' ');
    expect(await refusal(folder)).toMatchObject({ code: 'BUNDLE_DIGEST' });
  });

  it('with a manifest against its schema', async () => {
    const { code, message } = await refusal(
      bundle({ manifest: { levels: { warning: 9, alarm: 3 } } }),
    );
    expect(code).toBe('BUNDLE_SCHEMA');
    expect(message).toContain(
      'levels: {"warning":9,"alarm":3} is not allowed, warning must be below alarm',
    );
  });

  it('when the input of the model has another name', async () => {
    const { code, message } = await refusal(bundle({ inputs: { tensor: 'readings' } }));
    expect(code).toBe('BUNDLE_TENSORS');
    expect(message).toContain('inputs.tensor: "readings" is not allowed, the model has "window"');
  });

  it('when the model takes another number of signals', async () => {
    const golden = [{ name: 'three', input: [[1, 2, 3]], score: 6 }];
    const parts = { signals: ['a', 'b', 'c'], contributions: false, golden };
    const { code, message } = await refusal(bundle(parts));
    expect(code).toBe('BUNDLE_TENSORS');
    expect(message).toContain(
      'float32 [batch, 1, 2] is not allowed, must be float32 [batch, 1, 3]',
    );
  });

  it('when the model has no such output', async () => {
    const golden = [{ name: 'five', input: [[5, 0]], score: 0.5 }];
    const { message } = await refusal(bundle({ model: 'lookup', golden }));
    expect(message).toContain(
      'outputs.contributions: "contributions" is not allowed, the model has "score"',
    );
  });

  it('when the model does not give the golden outputs', async () => {
    const golden = [{ name: 'three and four', input: [[3, 4]], score: 8 }];
    const { code, message } = await refusal(bundle({ golden }));
    expect(code).toBe('BUNDLE_GOLDEN');
    expect(message).toContain('cases[0].score: 7 is not allowed, must be within 0.0009 of 8');
  });

  it('when the model fails on the golden inputs', async () => {
    const golden = [{ name: 'too large', input: [[99, 0]], score: 0.5 }];
    const found = await refusal(bundle({ model: 'lookup', contributions: false, golden }));
    expect(found).toMatchObject({
      code: 'BUNDLE_GOLDEN',
      message: expect.stringContaining('indices element out of data bounds'),
    });
  });

  it('when the runtime cannot load the model', async () => {
    const folder = temporaryFolder('broken');
    // Nothing is wrong with the file but that there is no such operator.
    writeFileSync(join(folder, 'nonsense.onnx'), model({ nodes: [node('Nonsense')] }));
    const parts = { ...sum, model: 'nonsense' };
    expect(await refusal(writeBundle(temporaryFolder('bundle'), parts, folder))).toMatchObject({
      code: 'BUNDLE_LOAD',
      message: expect.stringContaining('model.onnx: '),
    });
  });

  it('when its worker ends while it is starting', async () => {
    const folder = temporaryFolder('worker');
    const file = join(folder, 'ends.mjs');
    writeFileSync(file, 'process.exit(3);');
    await expect(load(bundle(), pathToFileURL(file))).rejects.toMatchObject({
      code: 'BUNDLE_LOAD',
      message: expect.stringContaining('exit code 3'),
    });
  });
});

describe('a model of images', () => {
  // The image comes out again as it went in, and passes for a grid of boxes: one anchor and one label make six numbers.
  it.each([
    ['a batch', ['batch', 3, 2, 6]],
    ['one image without a batch', [3, 2, 6]],
  ])('that takes %s is loaded after it ran on a black one', async (_, dims) => {
    const folder = temporaryFolder('picture');
    const parts = { inputs: [declared('window', dims)], outputs: [declared('score', dims)] };
    writeFileSync(join(folder, 'picture.onnx'), model(parts));
    const manifest = {
      inputs: { kind: 'image', tensor: 'window', width: 6, height: 2 },
      outputs: {
        ...{ kind: 'detection', form: 'grid', grid: 'score', layout: 'NHWC' },
        ...{ labels: ['part'], anchors: [[1, 1]] },
      },
    } as unknown as Partial<BundleManifest>;
    const golden = [{ name: 'none for images', input: [[]], score: 0 }];
    const pictures = { model: 'picture', signals: [], golden, manifest };
    const loaded = await load(writeBundle(temporaryFolder('bundle'), pictures, folder));
    const shape = dims.map((size) => (typeof size === 'string' ? -1 : size));
    expect(loaded.runner.inputs).toEqual([{ name: 'window', datatype: 'FP32', shape }]);
  });
});
