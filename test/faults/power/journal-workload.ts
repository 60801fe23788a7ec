/**
 * What a process does to a journal in the scenario `power-journal`: everything follows from the seed. It says on
 * standard output what it is about to do and what has been done, so that the log of the disk holds both.
 */
import type { JournalReading } from '@holdfast/journal';
import { type Seeded, seeded } from '@holdfast/testkit';

export const PARTITIONS = 3;

/** One request: readings with ascending numbers, and the id of its idempotency key if it has one. */
export interface Entry {
  from: number;
  count: number;
  key?: string;
}

export type Step =
  | { do: 'append'; entries: Entry[] }
  /** `share` of what has no receipt yet. */
  | { do: 'receipt'; partition: number; share: number }
  | { do: 'prune' }
  | { do: 'epoch'; partition: number }
  | { do: 'lookback'; rows: number }
  | { do: 'reopen' };

/** A line of standard output. */
export type Said =
  | { before: Step; epoch?: string; through?: number }
  | { after: Step['do']; results?: (string | undefined)[] };

export const keyResult = (key: string, first: number): string => `${key} got ${first}`;

/** Reading number `k`, the same at any time. */
export function readingOf(k: number): JournalReading {
  const asset = `pump-${k % 7}`;
  const t = Date.UTC(2026, 10, 23) + k * 10;
  return { asset, signals: ['x', 'y'], t, values: [k, k % 5 === 0 ? null : k / 8] };
}

export const readingsOf = ({ from, count }: Entry): JournalReading[] =>
  Array.from({ length: count }, (_, index) => readingOf(from + index));

export function stepsOf(seed: number, count: number): Step[] {
  const random = seeded(seed);
  let next = 1;
  const append = (): Step => {
    const entries = Array.from({ length: random.int(1, 3) }, (_, index): Entry => {
      const rows = random.chance(0.1) ? random.int(200, 3_000) : random.int(1, 20);
      const entry = { from: next, count: rows };
      next += rows;
      return random.chance(0.5) ? { ...entry, key: `key-${entry.from}-${index}` } : entry;
    });
    return { do: 'append', entries };
  };
  return Array.from({ length: count }, () => anyStep(random, append));
}

function anyStep(random: Seeded, append: () => Step): Step {
  const partition = random.int(0, PARTITIONS - 1);
  const chance = random.next();
  if (chance < 0.6) return append();
  if (chance < 0.8) {
    return { do: 'receipt', partition, share: random.chance(0.4) ? 1 : random.next() };
  }
  if (chance < 0.92) return { do: 'prune' };
  if (chance < 0.95) return { do: 'epoch', partition };
  if (chance < 0.97) return { do: 'lookback', rows: random.int(0, 4) };
  return { do: 'reopen' };
}
