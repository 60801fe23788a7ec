import { createHash } from 'node:crypto';
import { renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { readBundle } from '../index.ts';
import { field, graph, message, model, node, operatorSet, tensor } from '../testing/onnx-writer.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder('rules');
});

/** A whole bundle around these bytes, with these further files, all named in its manifest. */
function bundleOf(onnx: Buffer, more: Record<string, Buffer> = {}, opset = 17): void {
  const golden = { tolerance: 1, cases: [{ name: 'one', input: [[1, 2]], score: 1 }] };
  const files = { 'model.onnx': onnx, 'golden.json': Buffer.from(JSON.stringify(golden)), ...more };
  const digests: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), content);
    digests[name] = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  }
  const signals = ['a', 'b'].map((name) => ({ name, unit: '1' }));
  const manifest = {
    v: 1,
    name: 'tiny',
    version: '1',
    inputs: { tensor: 'window', signals, periodMs: 1_000, rows: 1, gapMsMax: 5_000 },
    outputs: { score: 'score' },
    levels: { warning: 1, alarm: 2 },
    opset,
    files: digests,
  };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(manifest));
}
const refusal = (): Promise<{ code: string; message: string }> =>
  readBundle(folder).then(
    () => ({ code: 'accepted', message: '' }),
    (error: unknown) => error as { code: string; message: string },
  );
const external = (entries: Record<string, string>): Buffer =>
  model({ initialisers: [tensor({ external: entries })] });

describe('a bundle is refused by name when its model', () => {
  it.each<[string, string, string, Buffer]>([
    [
      'has a newer format than the runtime reads',
      'BUNDLE_OPSET',
      'ir_version: 14 is not allowed, must be 1 to 13',
      model({ irVersion: 14 }),
    ],
    [
      'imports a newer standard operator set',
      'BUNDLE_OPSET',
      'opset: 27 is not allowed, must be at most 26',
      model({ opsets: [operatorSet('', 27)] }),
    ],
    [
      'imports a newer ai.onnx.ml, even unused, as the runtime would not load it',
      'BUNDLE_OPSET',
      'opset of ai.onnx.ml: 6 is not allowed, must be at most 5',
      model({ opsets: [operatorSet('', 17), operatorSet('ai.onnx.ml', 6)] }),
    ],
    [
      'uses an operator of an unknown domain',
      'BUNDLE_DOMAIN',
      'domain: "acme" is not allowed, must be "" or "ai.onnx.ml" or "com.microsoft"; operator "Explode" is of it',
      model({ nodes: [node('Explode', 'acme')] }),
    ],
    [
      'uses a domain that is the name of something every object has',
      'BUNDLE_DOMAIN',
      'domain: "constructor" is not allowed',
      model({ nodes: [node('Relu', 'constructor')] }),
    ],
    [
      'uses an unknown domain in an inner graph',
      'BUNDLE_DOMAIN',
      'domain: "acme"',
      model({
        nodes: [node('If', '', [field(6, graph({ nodes: [node('Relu', 'acme')] }))])],
      }),
    ],
    [
      'brings functions of its own',
      'BUNDLE_DOMAIN',
      'functions: "local.Twice" is not allowed, must be none',
      model({ ofModel: [field(25, message(field(1, 'Twice'), field(10, 'local')))] }),
    ],
  ])('%s', async (_, code, words, onnx) => {
    bundleOf(onnx);
    const error = await refusal();
    expect(error.message).toContain(words);
    expect(error.code).toBe(code);
  });

  it.each([
    '/etc/passwd',
    '../secret',
    'sub/../../secret',
    'golden.json/../model.json',
    'C:\\secret',
    '*/_ORT_MEM_ADDR_/*',
    'constructor',
    'not-named',
    'model.json',
    '',
  ])('takes weights from %j', async (location) => {
    writeFileSync(join(folder, 'not-named'), Buffer.alloc(8));
    bundleOf(external({ location }));
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_EXTERNAL_DATA',
      message: expect.stringContaining(
        `graph.initializer[0] "weights".location: ${JSON.stringify(location)} is not allowed, must be a file of this folder that model.json names`,
      ),
    });
  });

  it('takes weights from a constant in an inner graph, without saying so otherwise', async () => {
    const secret = tensor({ external: { location: '/etc/passwd' }, location: 0 });
    const inner = graph({ nodes: [node('Constant', '', [field(5, secret)])] });
    bundleOf(model({ nodes: [node('If', '', [field(6, inner)])] }));
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_EXTERNAL_DATA',
      message: expect.stringContaining(
        'graph.node[0].attribute[0].g.node[0].attribute[0].t "weights".location',
      ),
    });
  });

  it('takes weights from a file that is a symbolic link', async () => {
    bundleOf(external({ location: 'weights.bin' }), { 'weights.bin': Buffer.alloc(8) });
    const outside = join(temporaryFolder('outside'), 'weights.bin');
    renameSync(join(folder, 'weights.bin'), outside);
    symlinkSync(outside, join(folder, 'weights.bin'));
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_EXTERNAL_DATA',
      message: expect.stringContaining('must be a plain file, not a link'),
    });
  });

  it.each([
    [{ offset: '1' }, 9],
    [{ offset: '8', length: '8' }, 16],
  ])('takes weights from beyond the end of their file, %j', async (entries, end) => {
    const location = 'weights.bin';
    bundleOf(external({ location, ...entries }), { [location]: Buffer.alloc(8) });
    expect(await refusal()).toMatchObject({
      code: 'BUNDLE_EXTERNAL_DATA',
      message: expect.stringContaining(
        `"weights": ${end} bytes is not allowed, must end within the 8 bytes of "weights.bin"`,
      ),
    });
  });
});

describe('a bundle is accepted when its model', () => {
  it('takes weights from a file of the folder that the manifest names', async () => {
    const location = 'weights.bin';
    bundleOf(external({ location, offset: '8', length: '8' }), { [location]: Buffer.alloc(16) });
    expect((await readBundle(folder)).facts.externalData).toEqual([
      { location, tensors: 1, bytes: 8, end: 16, endOf: 'graph.initializer[0] "weights"' },
    ]);
  });

  it('imports a domain that it does not use, as files do that the runtime has written', async () => {
    const opsets = [operatorSet('', 17), operatorSet('com.ms.internal.nhwc', 26)];
    bundleOf(model({ opsets }));
    expect((await refusal()).code).toBe('accepted');
  });

  it('uses operators of the runtime beside the standard ones', async () => {
    const nodes = [node('Gelu', 'com.microsoft'), node('Scaler', 'ai.onnx.ml')];
    bundleOf(model({ nodes, opsets: [operatorSet('', 17), operatorSet('ai.onnx.ml', 3)] }));
    expect((await refusal()).code).toBe('accepted');
  });
});
