import { Block } from './block.ts';
import type { Comparison } from './comparison.ts';
import {
  addObservations,
  CRITERIA,
  type Criterion,
  type Evidence,
  type Limits,
  leastGoodOf,
  type Observation,
  observationsOf,
  qualityOf,
  worstOf,
} from './evidence.ts';

export interface DecisionRules {
  /** Least rows of a block, and least time between two decisions in ms. */
  rowsPerDecision: number;
  decisionEveryMs: number;
  /** Decisions before a candidate may be called good. */
  decisionsMin: number;
  /** Probability that a candidate as good as the active model is ever rolled back, over all criteria. */
  falseRollbacks: number;
  limits: Limits;
}

/** What survives a restart; rows of the unfinished block do not, which takes nothing from the proof. */
export interface CandidateState {
  readonly decisions: number;
  readonly rows: number;
  /** Wall clock, ms: of the first and the last decision. */
  readonly sinceMs: number;
  readonly evidence: Evidence;
}

export type Verdict =
  | {
      readonly kind: 'worse';
      readonly criterion: Criterion;
      readonly log: number;
      readonly threshold: number;
    }
  | {
      readonly kind: 'good';
      readonly criterion: Criterion;
      readonly log: number;
      readonly threshold: number;
    };

/** Capital at which a candidate is called good: it is wrong in one of twenty. */
const GOOD_LOG = Math.log(20);

/**
 * Judges one candidate. Rows are gathered to a block; when it has enough rows and enough time has passed, a *decision* is
 * taken: each criterion is asked whether the evidence of all blocks so far is enough. Pure: times are arguments.
 */
export class Candidate {
  #state: CandidateState;
  #block = new Block();
  #labels = { rows: 0, loss: 0 };
  #decidedMs: number | undefined;

  constructor(state: CandidateState | undefined, wallMs: number) {
    this.#state = state ?? { decisions: 0, rows: 0, sinceMs: wallMs, evidence: {} };
  }

  get state(): CandidateState {
    return this.#state;
  }

  /** Takes in what was compared in one batch. */
  add(comparison: Comparison): void {
    this.#block.add(comparison);
  }

  /** A label of one row: whether each model had it right. */
  label(right: { active: boolean; candidate: boolean }): void {
    this.#labels.rows += 1;
    this.#labels.loss += Number(right.active) - Number(right.candidate);
  }

  /** A decision, when one is due; the verdict when there is one. @param nowMs monotonic */
  decide(rules: DecisionRules, nowMs: number): { verdict: Verdict | undefined } | undefined {
    this.#decidedMs ??= nowMs;
    const due = nowMs - this.#decidedMs >= rules.decisionEveryMs;
    const full = this.#block.rows >= rules.rowsPerDecision;
    const labelled = this.#labels.rows >= rules.rowsPerDecision;
    if (!due || !(full || labelled)) return undefined;
    this.#decidedMs = nowMs;
    const found: Observation[] = full ? observationsOf(this.#block, rules.limits) : [];
    if (labelled) found.push(qualityOf(this.#labels.loss / this.#labels.rows, rules.limits));
    this.#state = {
      ...this.#state,
      decisions: this.#state.decisions + 1,
      rows: this.#state.rows + (full ? this.#block.rows : 0),
      evidence: addObservations(this.#state.evidence, found),
    };
    if (full) this.#block = new Block();
    if (labelled) this.#labels = { rows: 0, loss: 0 };
    return { verdict: verdictOf(this.#state, rules) };
  }
}

/** What the evidence so far is enough for. */
export function verdictOf(
  { decisions, evidence }: CandidateState,
  { falseRollbacks, decisionsMin }: DecisionRules,
): Verdict | undefined {
  const worst = worstOf(evidence);
  // Each criterion has an equal part of the probability that may be spent.
  const threshold = Math.log(CRITERIA.length / falseRollbacks);
  if (worst !== undefined && worst.log >= threshold) return { kind: 'worse', ...worst, threshold };
  const least = leastGoodOf(evidence);
  if (decisions < decisionsMin || least === undefined || least.log < GOOD_LOG) return undefined;
  return { kind: 'good', ...least, threshold: GOOD_LOG };
}
