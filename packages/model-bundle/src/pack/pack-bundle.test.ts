import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { makeKeyPair, packBundle, readBundle, readPrivateKey, signBundle } from '../index.ts';
import { declared, model } from '../testing/onnx-writer.ts';

const PUMP_LOOP = join(process.cwd(), 'scenarios/pump-loop/bundle');
let folder: string;
beforeEach(() => {
  folder = temporaryFolder('pack');
});

const signals = ['a', 'b'].map((name) => ({ name, unit: 'g' }));
const description = {
  levels: { warning: 1, alarm: 2 },
  version: '1.0.0',
  inputs: { periodMs: 1_000, signals },
  name: 'tiny',
};
const golden = { tolerance: 0.1, cases: [{ name: 'one', input: [[1, 2]], score: 1 }] };

/** A folder as somebody has it who has just trained a model. */
function files(change: Record<string, unknown> = {}, onnx = model()): void {
  const content = {
    'model.onnx': onnx,
    'model.json': description,
    'golden.json': golden,
    ...change,
  };
  for (const [name, value] of Object.entries(content)) {
    if (value === undefined) continue;
    writeFileSync(join(folder, name), Buffer.isBuffer(value) ? value : JSON.stringify(value));
  }
}
const manifest = (): Record<string, unknown> & { inputs: object; files: object } =>
  JSON.parse(readFileSync(join(folder, 'model.json'), 'utf8')) as never;
const refusal = (): Promise<{ code: string; message: string }> =>
  packBundle(folder).then(
    () => ({ code: 'accepted', message: '' }),
    (error: unknown) => error as { code: string; message: string },
  );

describe('to pack', () => {
  it('adds to a short description what the ONNX file says, and all digests', async () => {
    files({ 'README.md': 'card' });
    const packed = await packBundle(folder);
    expect(manifest()).toEqual({
      v: 1,
      name: 'tiny',
      version: '1.0.0',
      inputs: { tensor: 'window', periodMs: 1_000, signals, rows: 1, gapMsMax: 5_000 },
      outputs: { score: 'score' },
      levels: { warning: 1, alarm: 2 },
      opset: 17,
      files: {
        'README.md': expect.stringMatching(/^sha256:/),
        'golden.json': expect.stringMatching(/^sha256:/),
        'model.onnx': expect.stringMatching(/^sha256:/),
      },
    });
    expect(Object.keys(manifest())).toEqual(
      'v name version inputs outputs levels opset files'.split(' '),
    );
    expect((await readBundle(folder)).identity).toEqual(packed.identity);
  });

  it('finds the output with shares of signals, and the rows of a flat window', async () => {
    const onnx = model({
      inputs: [declared('x', ['batch', 6])],
      outputs: [declared('shares', ['batch', 2]), declared('strange', ['batch', 1])],
    });
    const input = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    files({ 'golden.json': { tolerance: 1, cases: [{ name: 'one', input, score: 1 }] } }, onnx);
    await packBundle(folder);
    expect(manifest()).toMatchObject({
      inputs: { tensor: 'x', rows: 3 },
      outputs: { score: 'strange', contributions: 'shares' },
    });
  });

  it('gives the same bytes again, also for a bundle that others have made', async () => {
    cpSync(PUMP_LOOP, folder, { recursive: true });
    const packed = await packBundle(folder);
    const committed = readFileSync(join(PUMP_LOOP, 'model.json'), 'utf8');
    expect(readFileSync(join(folder, 'model.json'), 'utf8')).toBe(committed);
    expect(packed.identity).toEqual((await readBundle(PUMP_LOOP)).identity);
  });

  it('brings the digests of a changed bundle up to date, and takes its void signature away', async () => {
    cpSync(PUMP_LOOP, folder, { recursive: true });
    await signBundle(folder, readPrivateKey(makeKeyPair().privatePem));
    expect((await packBundle(folder)).signatureRemoved).toBe(false);
    writeFileSync(join(folder, 'README.md'), 'another card');
    expect((await packBundle(folder)).signatureRemoved).toBe(true);
    expect(existsSync(join(folder, 'model.sig'))).toBe(false);
  });

  it('makes golden outputs where there are none', async () => {
    files({ 'golden.json': undefined });
    const packed = await packBundle(folder, {
      golden: ({ manifest: { inputs }, modelPath }) => {
        expect([inputs.rows, modelPath]).toEqual([1, join(folder, 'model.onnx')]);
        return Promise.resolve(golden);
      },
    });
    expect(packed.golden).toEqual(golden);
  });

  it('puts the bundle into a new folder and leaves the first one alone', async () => {
    files();
    const into = join(temporaryFolder('into'), 'new');
    const packed = await packBundle(folder, { into, fields: { version: '2' } });
    expect(packed.identity.version).toBe('2');
    expect(manifest()).toEqual(description);
    await expect(packBundle(folder, { into })).rejects.toMatchObject({
      message: expect.stringContaining('has files in it, must be new or empty'),
    });
  });
});

describe('to pack is refused', () => {
  it.each<[string, string, string, () => void]>([
    [
      'without golden outputs, with what to do',
      'BUNDLE_FILE_MISSING',
      'pack --golden <n>',
      () => files({ 'golden.json': undefined }),
    ],
    [
      'without a model',
      'BUNDLE_FILE_MISSING',
      'model.onnx',
      () => writeFileSync(join(folder, 'model.json'), '{}'),
    ],
    [
      'without levels',
      'BUNDLE_SCHEMA',
      'levels: is missing',
      () => files({ 'model.json': { ...description, levels: undefined } }),
    ],
    [
      'with a misspelt field',
      'BUNDLE_SCHEMA',
      'inputs.preiodMs: is not a known name',
      () =>
        files({
          'model.json': { ...description, inputs: { ...description.inputs, preiodMs: 1 } },
        }),
    ],
    [
      'with another number of signals than the model has',
      'BUNDLE_TENSORS',
      'inputs.tensor: float32 [batch, 1, 3] is not allowed, must be float32 [batch, 1, 2]',
      () => files({}, model({ inputs: [declared('window', ['batch', 1, 3])] })),
    ],
    [
      'with a description that is no object',
      'BUNDLE_SCHEMA',
      'must be an object',
      () => files({ 'model.json': [1] }),
    ],
    [
      'with a private key in the folder',
      'BUNDLE_SCHEMA',
      'files: "key.pem" is not allowed, must be taken away: it holds a private key',
      () => files({ 'key.pem': Buffer.from(makeKeyPair().privatePem) }),
    ],
    [
      'with a folder in it',
      'BUNDLE_SCHEMA',
      'files: "docs/card.md" is not allowed',
      () => {
        mkdirSync(join(folder, 'docs'));
        files({ 'docs/card.md': 'card' });
      },
    ],
    [
      'with a hidden file',
      'BUNDLE_SCHEMA',
      'files: ".DS_Store" is not allowed',
      () => files({ '.DS_Store': 'x' }),
    ],
    [
      'with a link in it',
      'BUNDLE_ALTERED',
      'card.md is a symbolic link',
      () => {
        files();
        symlinkSync('/etc/hostname', join(folder, 'card.md'));
      },
    ],
  ])('%s, and the folder stays as it was', async (_, code, words, prepare) => {
    prepare();
    const before = readFileSync(join(folder, 'model.json'), 'utf8');
    const error = await refusal();
    expect(error.message).toContain(words);
    expect(error.code).toBe(code);
    expect(readFileSync(join(folder, 'model.json'), 'utf8')).toBe(before);
    expect(readdirSync(folder).filter((name) => /\d$/.test(name))).toEqual([]);
  });

  it('into a folder, which is then not there', async () => {
    files({ 'model.json': {} });
    const into = join(temporaryFolder('into'), 'new');
    await expect(packBundle(folder, { into })).rejects.toMatchObject({ code: 'BUNDLE_SCHEMA' });
    expect(existsSync(into)).toBe(false);
  });
});
