import type { Level } from '@holdfast/contracts';
import { type Seeded, seeded } from '@holdfast/testkit';
import { IDENTITY } from '../../testing/builders.ts';
import { Candidate, type DecisionRules, type Verdict } from '../domain/candidate.ts';
import type { Comparison } from '../domain/comparison.ts';

/** How a candidate differs from the active model; nothing: both see the same machine with errors of the same size. */
export interface Fault {
  /** Share of rows with another level, in stretches of about `stretch` rows of one asset. */
  otherLevel?: number;
  /** Share of rows on which it throws, gives NaN, or leaves the row unscored. */
  throws?: number;
  nan?: number;
  unscored?: number;
  stretch?: number;
  /** Distances from warning to alarm that its scores are too high. */
  shift?: number;
  /** Times the active model's time. */
  slow?: number;
  /** Share of rows that it gets wrong although the active model has them right. */
  wrong?: number;
}

export interface Site {
  assets: number;
  /** Rows of an asset in one batch. */
  rows: number;
  /** Autocorrelation, from one row to the next, of the machines' state and of the models' errors. */
  memory: number;
  /** Standard deviation of the models' errors; the state of the machines has 1, warning is at 2, alarm at 3. */
  error: number;
  labels?: boolean;
}

const LEVELS = { warning: 2, alarm: 3 };
const levelOf = (score: number): Level => (score >= 3 ? 2 : score >= 2 ? 1 : 0);

/** A process with the given memory, mean 0 and deviation 1. */
class Wandering {
  readonly #random: Seeded;
  readonly #memory: number;
  readonly #step: number;
  #value: number;
  constructor(random: Seeded, memory: number) {
    this.#random = random;
    this.#memory = memory;
    this.#step = Math.sqrt(1 - memory * memory);
    this.#value = random.normal(0, 1);
  }
  next(): number {
    this.#value = this.#memory * this.#value + this.#step * this.#random.normal(0, 1);
    return this.#value;
  }
}

/** True for a share of the rows, in stretches of a mean length. */
class Stretches {
  readonly #random: Seeded;
  readonly #share: number;
  readonly #length: number;
  #on: boolean;
  constructor(random: Seeded, share: number, length: number) {
    this.#random = random;
    this.#share = share;
    this.#length = length;
    this.#on = random.chance(share);
  }
  next(): boolean {
    // Leaves with 1 / length, enters so that the share comes out.
    const leave = 1 / this.#length;
    const enter = (leave * this.#share) / Math.max(1 - this.#share, 1e-9);
    this.#on = this.#on ? !this.#random.chance(leave) : this.#random.chance(Math.min(1, enter));
    return this.#share >= 1 || this.#on;
  }
}

/** One candidate on one site until a verdict, or for so many decisions. Everything follows from the seed. */
export function simulateTrial(options: {
  seed: number;
  site: Site;
  fault: Fault;
  rules: DecisionRules;
  decisions: number;
  /** After each decision the candidate begins anew with what was kept of it. */
  restarts?: boolean;
}): { verdict: Verdict | undefined; decisions: number; disagreement: number } {
  const { seed, site, fault, rules } = options;
  const random = seeded(seed);
  const assets = Array.from({ length: site.assets }, () => anAsset(random, site, fault));
  const load = new Wandering(random, 0.9);
  const jitter = new Wandering(random, 0);
  let candidate = new Candidate(undefined, 0);
  let seen = 0;
  let disagreed = 0;
  for (let nowMs = 0; ; nowMs += rules.decisionEveryMs) {
    const pairs = assets.map((asset) => asset());
    const base = 10_000 * Math.exp(0.3 * load.next());
    const comparison: Comparison = {
      slot: 'next',
      role: 'shadow',
      identity: IDENTITY,
      assets: pairs.map(({ rows }) => rows),
      levels: { active: LEVELS, candidate: LEVELS },
      windowNs: {
        active: base * Math.exp(0.2 * jitter.next()),
        candidate: base * Math.exp(0.2 * jitter.next()) * (fault.slow ?? 1),
      },
    };
    candidate.add(comparison);
    for (const { rows, labels } of pairs) {
      for (const right of labels) candidate.label(right);
      seen += rows.seq.length;
      disagreed += rows.active.level.filter((l, i) => l !== rows.candidate.level[i]).length;
    }
    const decided = candidate.decide(rules, nowMs);
    const { decisions } = candidate.state;
    if (options.restarts === true && decided !== undefined) {
      candidate = new Candidate(JSON.parse(JSON.stringify(candidate.state)), 0);
      // The time to the next decision begins with the start.
      candidate.decide(rules, nowMs);
    }
    if (decided?.verdict?.kind === 'worse' || decisions >= options.decisions) {
      return { verdict: decided?.verdict, decisions, disagreement: disagreed / seen };
    }
  }
}

function anAsset(random: Seeded, site: Site, fault: Fault) {
  const state = new Wandering(random, site.memory);
  const errors = [new Wandering(random, site.memory), new Wandering(random, site.memory)];
  const stretch = fault.stretch ?? 1;
  const on = (share = 0) => new Stretches(random, share, stretch);
  const other = on(fault.otherLevel);
  const throws = on(fault.throws);
  const nan = on(fault.nan);
  const unscored = on(fault.unscored);
  const wrong = on(fault.wrong);
  // A tenth of the rows is wrong, half of it in both models, in stretches as long as the memory.
  const length = site.memory < 1 ? 1 / (1 - site.memory) : 1;
  const hard = [0, 1, 2].map(() => new Stretches(random, 0.05, length));
  return () => {
    const active = { score: [] as number[], level: [] as Level[] };
    const score: (number | null)[] = [];
    const level: (Level | null)[] = [];
    const why: (string | null)[] = [];
    const labels: { active: boolean; candidate: boolean }[] = [];
    const seq: number[] = [];
    for (let row = 0; row < site.rows; row += 1) {
      const truth = state.next();
      const one = truth + site.error * errors[0]!.next();
      const two = truth + site.error * errors[1]!.next() + (fault.shift ?? 0);
      active.score.push(one);
      active.level.push(levelOf(one));
      seq.push(row + 1);
      const flipped = other.next();
      const code = throws.next()
        ? 'MODEL_FAILED'
        : nan.next()
          ? 'NON_FINITE_SCORE'
          : unscored.next()
            ? 'OUT_OF_RANGE'
            : null;
      why.push(code);
      score.push(code === null ? two : null);
      const own = flipped ? ((levelOf(one) === 0 ? 1 : 0) as Level) : levelOf(two);
      level.push(code === null ? own : null);
      if (site.labels !== true) continue;
      const [both, mine, others] = hard.map((stretches) => !stretches.next());
      labels.push({ active: both! && mine!, candidate: both! && others! && !wrong.next() });
    }
    return { rows: { asset: 'x', seq, t: seq, active, candidate: { score, level, why } }, labels };
  };
}
