import { createHash } from 'node:crypto';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { goldenProblems, readBundle, tensorProblems } from './index.ts';

const PUMP_LOOP = join(process.cwd(), 'scenarios/pump-loop/bundle');
let folder: string;
beforeEach(() => {
  folder = temporaryFolder('bundle');
  cpSync(PUMP_LOOP, folder, { recursive: true });
});

interface Manifest {
  opset: number;
  inputs: { rows: number; signals: { name: string; min?: number; max?: number }[] };
  files: Record<string, string>;
  [key: string]: unknown;
}
const digestOf = (name: string): string =>
  `sha256:${createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex')}`;

/** Changes the manifest, and brings the digests in it up to date. */
function edit(change: (manifest: Manifest) => void): void {
  const file = join(folder, 'model.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  for (const name of Object.keys(manifest.files)) manifest.files[name] = digestOf(name);
  change(manifest);
  writeFileSync(file, JSON.stringify(manifest));
}
const failure = async (): Promise<{ code: string; message: string }> => {
  const error = await readBundle(folder).then(
    () => new Error('the bundle was accepted'),
    (thrown: unknown) => thrown,
  );
  return error as { code: string; message: string };
};

describe('a bundle', () => {
  it('is read with its identity, the digest of model.json', async () => {
    const bundle = await readBundle(folder);
    const digest = digestOf('model.json');
    expect(bundle.identity).toEqual({ name: 'pump-loop', version: '1.0.0', digest });
    expect(bundle.manifest.inputs.rows).toBe(12);
    expect(bundle.golden.cases.length).toBeGreaterThan(3);
  });

  it('that is not there is refused with its path', async () => {
    folder = join(folder, 'nowhere');
    expect(await failure()).toMatchObject({
      code: 'BUNDLE_NO_FOLDER',
      message: expect.stringContaining(folder),
    });
  });

  it.each(['model.json', 'model.onnx', 'golden.json', 'README.md'])(
    'without %s is refused by the name of the file',
    async (name) => {
      rmSync(join(folder, name));
      expect(await failure()).toMatchObject({ code: 'BUNDLE_FILE_MISSING', file: name });
    },
  );

  it.each(['model.onnx', 'golden.json', 'README.md'])(
    'whose %s was changed is refused with both digests',
    async (name) => {
      const before = digestOf(name);
      writeFileSync(
        join(folder, name),
        Buffer.concat([readFileSync(join(folder, name)), Buffer.from(' ')]),
      );
      const { code, message } = await failure();
      expect(code).toBe('BUNDLE_DIGEST');
      expect(message).toContain(
        `files["${name}"]: ${digestOf(name)} is not allowed, must be ${before}`,
      );
    },
  );

  it('with a value against the schema is refused with path, value and what is allowed', async () => {
    edit((manifest) => {
      manifest.inputs.rows = 0;
    });
    const { code, message } = await failure();
    expect(code).toBe('BUNDLE_SCHEMA');
    expect(message).toContain('model.json: inputs.rows: 0 is not allowed, must be at least 1');
  });

  it('whose model.json is no JSON is refused', async () => {
    writeFileSync(join(folder, 'model.json'), '{"v": 1,');
    expect(await failure()).toMatchObject({ code: 'BUNDLE_NOT_JSON', file: 'model.json' });
  });

  it('that names a file outside of its folder is refused', async () => {
    edit((manifest) => {
      manifest.files['../secret'] = digestOf('model.onnx');
    });
    expect((await failure()).message).toContain('files: "../secret" is not allowed');
  });

  it('that leaves the model out of its digests is refused', async () => {
    edit((manifest) => {
      delete manifest.files['model.onnx'];
    });
    expect((await failure()).message).toContain('files["model.onnx"]: is missing');
  });

  it('with two signals of one name or an empty range is refused', async () => {
    edit((manifest) => {
      manifest.inputs.signals[1]!.name = manifest.inputs.signals[0]!.name;
      manifest.inputs.signals[2]!.min = 99;
    });
    const { message } = await failure();
    expect(message).toContain(
      'inputs.signals[1].name: "Accelerometer1RMS" is not allowed, must be unique',
    );
    expect(message).toContain('inputs.signals[2].min: 99 is not allowed, must be below max');
  });

  it('whose manifest tells another operator set than the model has is refused with both', async () => {
    edit((manifest) => {
      manifest.opset = 18;
    });
    expect(await failure()).toMatchObject({
      code: 'BUNDLE_OPSET',
      message: expect.stringContaining('opset: 18 is not allowed, must be 17'),
    });
  });

  it('whose model needs a newer operator set than the runtime has is refused with the newest', async () => {
    const file = join(folder, 'model.onnx');
    const bytes = readFileSync(file);
    // The last field of the file is opset_import {domain: '', version: 17}: 42 04 0a 00 10 11.
    expect(bytes.subarray(-6).toString('hex')).toBe('42040a001011');
    bytes[bytes.length - 1] = 99;
    writeFileSync(file, bytes);
    edit((manifest) => {
      manifest.opset = 26;
    });
    expect(await failure()).toMatchObject({
      code: 'BUNDLE_OPSET',
      message: expect.stringContaining('opset: 99 is not allowed, must be at most 26'),
    });
  });

  it('whose model is cut off or no model at all is refused', async () => {
    for (const content of [
      readFileSync(join(folder, 'model.onnx')).subarray(0, 4_000),
      'hello world',
    ]) {
      writeFileSync(join(folder, 'model.onnx'), content);
      edit(() => undefined);
      expect(await failure()).toMatchObject({ code: 'BUNDLE_GARBLED' });
    }
  });

  it('whose golden inputs have another shape than its model is refused', async () => {
    edit((manifest) => {
      manifest.inputs.rows = 13;
    });
    expect(await failure()).toMatchObject({
      code: 'BUNDLE_SCHEMA',
      message: expect.stringContaining(
        'cases[0].input: 12 rows of 8 values is not allowed, must be 13 rows of 8 values',
      ),
    });
  });
});

describe('the golden outputs', () => {
  const golden = {
    tolerance: 0.01,
    cases: [{ name: 'one', input: [[1]], score: 10, contributions: [0.5, 0.5] }],
  };

  it('are met within the tolerance, absolute plus relative', () => {
    expect(goldenProblems(golden, { score: [10.1], contributions: [0.51, 0.49] })).toEqual([]);
  });

  it('that are missed are named with both values', () => {
    expect(goldenProblems(golden, { score: [10.2], contributions: [0.5, Number.NaN] })).toEqual([
      { path: 'cases[0].score', value: '10.2', allowed: 'must be within 0.11 of 10' },
      { path: 'cases[0].contributions[1]', value: 'NaN', allowed: 'must be within 0.015 of 0.5' },
    ]);
  });
});

describe('the tensors', () => {
  const window = { name: 'window', type: 'float32', shape: ['batch', 12, 8] };
  const score = { name: 'score', type: 'float32', shape: ['batch'] };
  const contributions = { name: 'contributions', type: 'float32', shape: ['batch', 8] };
  const problems = async (
    inputs: (typeof window)[],
    outputs: { name: string; type: string; shape: (string | number)[] }[],
  ) => tensorProblems((await readBundle(folder)).manifest, { inputs, outputs });

  it('as declared have no problems', async () => {
    expect(await problems([window], [score, contributions])).toEqual([]);
  });

  it.each([
    ['another name', { ...window, name: 'x' }, 'the model has "x"'],
    ['another type', { ...window, type: 'float64' }, 'must be float32 [batch, 12, 8]'],
    ['other rows', { ...window, shape: ['batch', 10, 8] }, 'must be float32 [batch, 12, 8]'],
  ])('with %s are refused', async (_, input, allowed) => {
    expect((await problems([input], [score, contributions]))[0]).toMatchObject({
      path: 'inputs.tensor',
      allowed,
    });
  });

  it('with a fixed batch are refused, because a batch of any size is one run', async () => {
    const fixed = { ...score, shape: [1] };
    expect(await problems([window], [fixed, contributions])).toEqual([
      {
        path: 'outputs.score',
        value: 'float32 [1]',
        allowed: expect.stringContaining('a batch dimension that is free'),
      },
    ]);
  });

  it('with an input that nobody fills are refused', async () => {
    expect(
      (await problems([window, { ...window, name: 'mask' }], [score, contributions]))[0]?.allowed,
    ).toContain('"mask"');
  });
});
