import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What became of a scenario, or of a bug planted into it. */
export interface Result {
  scenario: string;
  plant?: string;
  /** Of the first round, or of the one that failed. */
  seed: number;
  size: 'short' | 'long';
  /** With a plant, `passed` means that the check turned red. */
  outcome: 'passed' | 'failed' | 'skipped';
  seconds: number;
  rounds: number;
  /** Sums over all rounds. */
  counts: Record<string, number>;
  /** Why it failed or was skipped; with a plant, how it was found. */
  detail?: string;
}

/** A result as it is kept in a file. */
export type KeptResult = Result & {
  /** UTC day of the run. */
  date: string;
};

/** Results kept in a file; none when there is no file. */
export function readResults(file: string): KeptResult[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KeptResult[]) : [];
}

/** Writes results into a file; those of other scenarios and plants that it already holds stay. */
export function mergeResults(file: string, results: readonly Result[]): void {
  const date = new Date().toISOString().slice(0, 10);
  const kept = new Map(readResults(file).map((result) => [keyOf(result), result]));
  for (const result of results) kept.set(keyOf(result), { ...result, date });
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true });
  writeFileSync(file, `${JSON.stringify([...kept.values()], null, 2)}\n`);
}

const keyOf = ({ scenario, plant = '' }: Result): string => `${scenario}\n${plant}`;
