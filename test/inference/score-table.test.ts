/**
 * Goal: `npm run model -- score --input` gives each row of a table the outcome that it has at a site. Method: the pump-loop
 * model; its golden windows as the rows of two machines, one after the other line by line, and what its bundle says that
 * they must give.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BundleManifest, GoldenOutputs } from '@holdfast/contracts';
import { temporaryFolder } from '@holdfast/testkit';
import { expect, it } from '@jest/globals';

const BUNDLE = join(process.cwd(), 'scenarios/pump-loop/bundle');
const read = <T>(name: string): T => JSON.parse(readFileSync(join(BUNDLE, name), 'utf8')) as T;
const { inputs } = read<BundleManifest>('model.json');
const golden = read<GoldenOutputs>('golden.json');
const START_MS = 1_780_000_000_000;

async function score(rows: readonly (string | number)[][]): Promise<string[][]> {
  const file = join(temporaryFolder('table'), 'readings.csv');
  const header = ['asset', 't', ...inputs.signals.map(({ name }) => name)];
  writeFileSync(file, [header, ...rows].map((cells) => cells.join(',')).join('\n'));
  const command = ['scripts/model.ts', 'score', '--bundle', BUNDLE, '--input', file];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  const [head, ...lines] = stdout.trimEnd().split('\n');
  expect(head).toBe('line,asset,t,score,level,code,detail');
  return lines.map((line) => line.split(','));
}

const [one, two] = golden.cases.slice(0, 2) as [Case, Case];
type Case = GoldenOutputs['cases'][number];
const cellsOf = (asset: string, { input }: Case, row: number): (string | number)[] => [
  ...[asset, START_MS + row * inputs.periodMs],
  ...input[row]!,
];

it('the last rows of golden windows have their golden scores, those before are filling the window', async () => {
  const lines = Array.from({ length: inputs.rows }, (_, row) => [
    cellsOf('a', one, row),
    cellsOf('b', two, row),
  ]).flat();
  const outcomes = await score(lines);
  expect(outcomes).toHaveLength(2 * inputs.rows);
  for (const [asset, { score: wanted }] of [
    ['a', one],
    ['b', two],
  ] as const) {
    const own = outcomes.filter((outcome) => outcome[1] === asset);
    const last = own.pop()!;
    expect(Math.abs(Number(last[3]) - wanted)).toBeLessThan(golden.tolerance * (1 + wanted) + 1e-4);
    expect(new Set(own.map((outcome) => outcome[5]))).toEqual(new Set(['window-filling']));
  }
});

it('an empty cell leaves its row unscored, and a value out of range rejects it', async () => {
  const rows = [0, 1].map((row) => cellsOf('a', one, row));
  rows[0]![2] = '';
  rows[1]![2] = 1e9;
  const outcomes = await score(rows);
  expect(outcomes.map((outcome) => outcome[5])).toEqual(['missing-value', 'OUT_OF_RANGE']);
});

it('a line that is no row is told with its number and what is allowed', async () => {
  const rows = [cellsOf('a', one, 0), cellsOf('a', one, 1)];
  rows[1]![2] = 'twelve';
  await expect(score(rows)).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('line 3: twelve is not allowed, must be a number or empty'),
  });
});
