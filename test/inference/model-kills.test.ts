/**
 * Goal: whatever moment of a swap the process is killed at, the next one serves the old model or the new one at once,
 * and ends with the new one. Method: a process with the real runtime and disk that stands still at each step of a swap
 * and is killed there; then the same again, and then once more without the bundle's source.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ChildProcess, temporaryFolder } from '@holdfast/testkit';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';

const PROCESS = join(process.cwd(), 'test/inference/fixtures/model-set-process.ts');

/** Version 1 gives the sum of both values, version 2 a tenth of the first. */
const write = (version: '1' | '2'): string =>
  writeBundle(temporaryFolder('bundle'), {
    model: version === '1' ? 'sum' : 'lookup',
    signals: ['a', 'b'],
    golden: [{ name: 'five', input: [[5, 0]], score: version === '1' ? 5 : 0.5 }],
    manifest: { name: 'm', version },
  });
const run = (dataDir: string, bundle: string, point: string): ChildProcess =>
  ChildProcess.start(PROCESS, { args: [dataDir, bundle, point], cwd: process.cwd() });
const startedWith = async (child: ChildProcess): Promise<string[]> =>
  (JSON.parse(await child.line('"started"')) as { started: string[] }).started;

/** Data of a process that has served version 1 and was killed. */
let served: string;
beforeAll(async () => {
  served = temporaryFolder('data');
  const first = run(served, write('1'), 'nowhere');
  expect(await startedWith(first)).toEqual([]);
  await first.line('{"serving":["1"]}');
  await first.kill();
});
afterEach(() => ChildProcess.killAll());

describe('a process that is killed during a swap', () => {
  const points = ['fetch', 'fetching model.onnx', 'fetched', 'verify', 'verified', 'loading'];
  points.push('checking', 'loaded', 'swapped', 'announced', 'closed');
  it.each(points)(
    'at "%s" has a model at once when it is back, and ends with the new one',
    async (point) => {
      const dataDir = temporaryFolder('data');
      const two = write('2');
      cpSync(served, dataDir, { recursive: true });
      const second = run(dataDir, two, point);
      expect(await startedWith(second)).toEqual(['1']);
      await second.line(`{"at":"${point}"}`);
      await second.kill();

      const third = run(dataDir, two, 'nowhere');
      expect(['1', '2']).toContain((await startedWith(third))[0]);
      await third.line('{"serving":["2"]}');
      await third.kill();

      rmSync(two, { recursive: true });
      expect(await startedWith(run(dataDir, two, 'nowhere'))).toEqual(['2']);
    },
  );
});
