import type { Seeded } from '@holdfast/testkit';
import type { Plant } from './plants/plant.ts';

/** Families of faults, in the order of docs/testing.md; one folder each. */
export const TOPICS = [
  'kills',
  'power',
  'disk-full',
  'damage',
  'links',
  'upgrade',
  'caps',
  'simulation',
] as const;
export type Topic = (typeof TOPICS)[number];

/** Everything a round may depend on: the same seed and size do the same again, as far as processes allow. */
export interface Round {
  seed: number;
  random: Seeded;
  /** `short` is what `npm test` runs: seconds, a few tens at most. `long` may take minutes. */
  size: 'short' | 'long';
  /** Empty, of this round alone, removed afterwards; kept when the round fails and `--keep` is given. */
  folder: string;
  /** A bug planted into the product's source, or undefined. Start processes with `plantEnvironment(round.plant)`. */
  plant: Plant | undefined;
  /** Aborts when the run is stopped. */
  signal: AbortSignal;
  /** A line for whoever watches. */
  say(line: string): void;
}

/** What a round counted, for the table of docs/testing.md: kills, cuts, readings, records. */
export type Counts = Readonly<Record<string, number>>;

/**
 * One way to break the system, and what must hold nevertheless. `run` does one round and checks it itself; it throws
 * `FaultFound` when the promise is broken, anything else when the harness is.
 */
export interface Scenario {
  /** Unique, kebab-case, begins with its topic: `kills-at-points`. What `--only` selects. */
  name: string;
  topic: Topic;
  /** What is done to the system, and how: a sentence for docs/testing.md. */
  fault: string;
  /** What must hold: a sentence. */
  holds: string;
  /** Bugs that turn this scenario red; each is tried by `npm run test:faults -- --plants`. At least one. */
  plants: readonly Plant[];
  /** Why it cannot run on this machine (no C compiler, not root), or undefined when it can. */
  unavailable?(): Promise<string | undefined>;
  run(round: Round): Promise<Counts>;
}

/** The promise is broken: what was expected, what was found. */
export class FaultFound extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FaultFound';
  }
}

/** @throws FaultFound unless `condition` holds */
export function mustHold(condition: boolean, message: string): asserts condition {
  if (!condition) throw new FaultFound(message);
}
