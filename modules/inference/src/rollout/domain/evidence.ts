import type { Block } from './block.ts';
import { bet, betBelow, type Capital, logOf, newCapital } from './e-process.ts';

/** By what a candidate is judged; see `observationsOf` for what each means. */
export const CRITERIA = [
  'failed',
  'non-finite',
  'unscored',
  'disagreement',
  'missed',
  'shift',
  'latency',
  'quality',
] as const;
export type Criterion = (typeof CRITERIA)[number];

/** What is tolerated of a candidate in one block. Shares of rows, 0 to 1. */
export interface Limits {
  /** Rows on which it throws; the same again for rows with a score that is no number. */
  failedShare: number;
  /** Rows that it leaves without a score although the active model gives one. */
  unscoredShare: number;
  /** Rows on which the levels of the two models differ. */
  disagreementShare: number;
  /** Of the rows that the active model finds abnormal, those that it finds normal. */
  missedShare: number;
  /** Between the distributions of the scores, in distances from warning to alarm. */
  shift: number;
  /** Time of a window over that in the active model. */
  slowdown: number;
  /** Labelled rows that it gets right, less than the active model. */
  qualityLoss: number;
}

/** What one block says on one criterion: `x` is bet on against a mean of `limit`, `bad` says whether it is beyond what is tolerated. */
export interface Observation {
  readonly criterion: Criterion;
  readonly x: number;
  readonly limit: number;
  readonly bad: boolean;
  /** Share of blocks that may be bad if the candidate is to be called good. */
  readonly badMax: number;
}

/**
 * Of a block, what there is evidence for. Shares of rows are bet on as they are; where models that are equally good may
 * differ for a while, four times what is tolerated is the most that one block may say. Time, distribution and quality
 * are votes: a block is beyond what is tolerated or not, and no more than half of them may be.
 */
export function observationsOf(block: Block, limits: Limits): Observation[] {
  const { rows, both, abnormal } = block;
  if (rows === 0) return [];
  const { failedShare, unscoredShare, disagreementShare, missedShare } = limits;
  const found: Observation[] = [
    shareOf('failed', block.failed / rows, failedShare, 1),
    shareOf('non-finite', block.nonFinite / rows, failedShare, 1),
    shareOf('unscored', block.unscored / rows, unscoredShare, 4 * unscoredShare),
  ];
  if (both > 0) {
    const share = block.disagreed / both;
    found.push(shareOf('disagreement', share, disagreementShare, 4 * disagreementShare));
    found.push(vote('shift', block.shift > limits.shift));
  }
  if (abnormal > 0) {
    // Often of a row or two only, so a block that is beyond what is tolerated says less.
    const missed = shareOf('missed', block.missed / abnormal, missedShare, 1);
    found.push({ ...missed, badMax: 0.5 });
  }
  if (block.activeNs > 0) {
    found.push(vote('latency', block.candidateNs > limits.slowdown * block.activeNs));
  }
  return found;
}

const shareOf = (criterion: Criterion, x: number, limit: number, most: number): Observation => ({
  ...{ criterion, x: Math.min(x, most, 1), limit, bad: x > limit, badMax: 0.2 },
});

/** @param loss share of labelled rows right by the active model less that by the candidate, over one block of labels */
export const qualityOf = (loss: number, { qualityLoss }: Limits): Observation =>
  vote('quality', loss > qualityLoss);

const vote = (criterion: Criterion, bad: boolean): Observation => ({
  ...{ criterion, x: bad ? 1 : 0, limit: 0.5, bad, badMax: 0.5 },
});

/** All that is known of a candidate on one criterion: a few numbers, however long it lasts. */
export interface CriterionState {
  readonly blocks: number;
  readonly bad: number;
  /** Capital against "it is as good as the active model", and against "too many of its blocks are bad". */
  readonly worse: Capital;
  readonly good: Capital;
}

export type Evidence = Readonly<Partial<Record<Criterion, CriterionState>>>;

export function addObservations(evidence: Evidence, found: readonly Observation[]): Evidence {
  const next: Partial<Record<Criterion, CriterionState>> = { ...evidence };
  for (const { criterion, x, limit, bad, badMax } of found) {
    const { blocks, bad: badBlocks, worse, good } = next[criterion] ?? NEW;
    next[criterion] = {
      blocks: blocks + 1,
      bad: badBlocks + (bad ? 1 : 0),
      worse: bet(worse, x, limit),
      good: betBelow(good, bad ? 1 : 0, badMax),
    };
  }
  return next;
}

const NEW: CriterionState = { blocks: 0, bad: 0, worse: newCapital(), good: newCapital() };

/** The criterion with the strongest evidence that the candidate is worse; natural logarithm of the capital. */
export function worstOf(evidence: Evidence): { criterion: Criterion; log: number } | undefined {
  let worst: { criterion: Criterion; log: number } | undefined;
  for (const criterion of CRITERIA) {
    const state = evidence[criterion];
    if (state === undefined) continue;
    const log = logOf(state.worse);
    if (worst === undefined || log > worst.log) worst = { criterion, log };
  }
  return worst;
}

/** The criterion with the weakest evidence that the candidate is good. */
export function leastGoodOf(evidence: Evidence): { criterion: Criterion; log: number } | undefined {
  let least: { criterion: Criterion; log: number } | undefined;
  for (const criterion of CRITERIA) {
    const state = evidence[criterion];
    if (state === undefined) continue;
    const log = logOf(state.good);
    if (least === undefined || log < least.log) least = { criterion, log };
  }
  return least;
}
