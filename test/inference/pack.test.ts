/**
 * Goal: what `npm run model -- pack --golden` makes of an ONNX file and a few lines is a bundle that the module serves.
 * Method: the command as a process of its own with the real runtime, on the tiny models of fixtures/; then the module's
 * own loading, which runs the golden inputs.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GoldenOutputs } from '@holdfast/contracts';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { loadModel } from '../../modules/inference/src/adapters/load-model.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';

const FIXTURES = join(process.cwd(), 'test/inference/fixtures');

/** A folder with one of the models and the least that one must say about it. */
function described(model: string, beside: readonly string[] = [], signals = ['a', 'b']): string {
  const folder = temporaryFolder('pack');
  copyFileSync(join(FIXTURES, `${model}.onnx`), join(folder, 'model.onnx'));
  for (const name of beside) copyFileSync(join(FIXTURES, name), join(folder, name));
  const description = {
    name: model,
    version: '1.0.0',
    inputs: {
      signals: signals.map((name) => ({ name, unit: '1', min: 0, max: 9 })),
      periodMs: 1_000,
    },
    levels: { warning: 1, alarm: 2 },
  };
  writeFileSync(join(folder, 'model.json'), JSON.stringify(description));
  return folder;
}

function pack(folder: string): { status: number | null; text: string } {
  const bin = join(process.cwd(), 'node_modules/.bin/node');
  const args = ['scripts/model.ts', 'pack', folder, '--golden', '4'];
  const { status, stdout, stderr } = spawnSync(bin, args, { encoding: 'utf8' });
  return { status, text: stdout + stderr };
}
const goldenOf = (folder: string): GoldenOutputs =>
  JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as GoldenOutputs;

describe('a packed model', () => {
  it.each([
    ['sum', [], ['a', 'b'], 1],
    ['positions', [], ['a', 'b'], 3],
    ['external', ['external.weights'], ['a', 'b'], 3],
    ['autoencoder', [], [...'abcdefgh'], 1],
  ])('%s gives its golden outputs in the module', async (name, beside, signals, rows) => {
    const folder = described(name, beside, signals);
    expect(pack(folder)).toMatchObject({ status: 0 });
    expect(goldenOf(folder).cases.map(({ input }) => input.length)).toEqual(
      new Array(4).fill(rows),
    );
    const model = await loadModel({ engine: anEngine(), folder });
    await model.close();
    expect(model.manifest.inputs.rows).toBe(rows);
    expect(model.manifest.outputs).toMatchObject(
      name === 'sum' ? { contributions: 'contributions' } : { score: 'score' },
    );
  });

  it('is the same, byte for byte, when it is packed again from the start', () => {
    const folders = [described('sum'), described('sum')];
    const files = folders.map((folder) => {
      expect(pack(folder)).toMatchObject({ status: 0 });
      return ['model.json', 'golden.json'].map((name) => readFileSync(join(folder, name), 'utf8'));
    });
    expect(files[0]).toEqual(files[1]);
  });

  it('that fails on made-up windows is refused with what to do, and leaves nothing behind', () => {
    const folder = described('lookup');
    const file = join(folder, 'model.json');
    const description = readFileSync(file, 'utf8').replaceAll('"max":9', '"max":1000');
    writeFileSync(file, description);
    const { status, text } = pack(folder);
    expect([status, text]).toEqual([1, expect.stringContaining('BUNDLE_LOAD: model.onnx: ')]);
    expect(readFileSync(file, 'utf8')).toBe(description);
  });
});
