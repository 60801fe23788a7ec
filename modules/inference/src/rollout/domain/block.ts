import type { Comparison } from './comparison.ts';
import type { PairedRows } from './pairs.ts';

/** Bins of the scores on the scale where warning is 0 and alarm is 1; what lies outside counts in the outermost. */
const BIN_LEAST = -3;
const BIN_WIDTH = 0.05;
const BINS = 160;

/**
 * Compared rows since the last decision. Levels and scores are those of each model's own scale: a model with other levels
 * is not another opinion.
 */
export class Block {
  rows = 0;
  failed = 0;
  nonFinite = 0;
  /** Rejected by the range of a signal, or left unscored, where the active model gave a score. */
  unscored = 0;
  /** Of the rows that both scored. */
  both = 0;
  disagreed = 0;
  /** Rows at level 1 or above for the active model; and those of them that are normal for the candidate. */
  abnormal = 0;
  missed = 0;
  activeNs = 0;
  candidateNs = 0;
  readonly #active = new Uint32Array(BINS);
  readonly #candidate = new Uint32Array(BINS);

  add({ assets, levels, windowNs }: Comparison): void {
    const before = this.rows;
    for (const rows of assets) this.#addRows(rows, levels);
    if (windowNs === undefined) return;
    this.activeNs += windowNs.active * (this.rows - before);
    this.candidateNs += windowNs.candidate * (this.rows - before);
  }

  #addRows({ active, candidate }: PairedRows, levels: Comparison['levels']): void {
    for (let row = 0; row < active.score.length; row += 1) {
      const why = candidate.why[row];
      // Its window may be longer: that passes.
      if (why === 'window-filling' || why === 'between-hops') continue;
      this.rows += 1;
      const abnormal = active.level[row]! > 0;
      if (abnormal) this.abnormal += 1;
      if (why === 'MODEL_FAILED') this.failed += 1;
      else if (why === 'NON_FINITE_SCORE') this.nonFinite += 1;
      else if (why !== null) this.unscored += 1;
      const score = candidate.score[row];
      if (score === null || score === undefined) continue;
      this.both += 1;
      if (candidate.level[row] !== active.level[row]) this.disagreed += 1;
      if (abnormal && candidate.level[row] === 0) this.missed += 1;
      this.#active[binOf(active.score[row]!, levels.active)]! += 1;
      this.#candidate[binOf(score, levels.candidate)]! += 1;
    }
  }

  /** How far apart the two distributions lie, in distances from warning to alarm (Wasserstein distance). */
  get shift(): number {
    let distance = 0;
    let ahead = 0;
    for (let bin = 0; bin < BINS; bin += 1) {
      ahead += this.#active[bin]! - this.#candidate[bin]!;
      distance += Math.abs(ahead);
    }
    return this.both === 0 ? 0 : (distance * BIN_WIDTH) / this.both;
  }
}

function binOf(score: number, { warning, alarm }: { warning: number; alarm: number }): number {
  const bin = Math.floor(((score - warning) / (alarm - warning) - BIN_LEAST) / BIN_WIDTH);
  return Math.min(Math.max(bin, 0), BINS - 1);
}
