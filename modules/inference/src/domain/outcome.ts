import type {
  AssetScores,
  BundleManifest,
  ModelIdentity,
  ReadingsMessage,
  Rejection,
  ScoresMessage,
  Unscored,
} from '@holdfast/contracts';
import type { BisectedScores } from './bisect.ts';
import type { AssetPlan } from './window.ts';

type Model = { identity: ModelIdentity; manifest: BundleManifest };

/** Longest detail of a rejection in characters, as the contract has it. */
const DETAIL_MAX = 512;

/**
 * Six significant digits in the shortest form: what float32 carries, without its noise in the JSON. Everything that
 * follows, levels too, uses the rounded number, so that a reader of the message comes to the same.
 */
export function roundScore(score: number): number {
  const size = Math.abs(score);
  if (size >= 1 && size < 100) return Math.round(score * 10_000) / 10_000;
  if (size >= 0.1 && size < 1) return Math.round(score * 1_000_000) / 1_000_000;
  return Number(score.toPrecision(6));
}

/** What became of the rows of one asset; every row stands exactly once in one of the three. */
export interface AssetOutcome {
  scored: AssetScores | undefined;
  rejected: Rejection[];
  unscored: Unscored[];
}

/** Rows of some assets as one model has scored them. */
export interface ScoredPart {
  /** Undefined when there is none; then no plan has windows. */
  readonly model: Model | undefined;
  readonly plans: readonly AssetPlan[];
  /** One entry for each planned window, in the order of the plans. */
  readonly scores: BisectedScores;
}

/** The outcomes of a part, one for each plan, in their order. */
export function outcomesOf({ model, plans, scores }: ScoredPart): AssetOutcome[] {
  let window = 0;
  return plans.map((plan) => {
    const outcome: AssetOutcome = { scored: undefined, rejected: [], unscored: [] };
    if (model !== undefined) addScored(outcome, model.manifest, plan, scores, window);
    window += plan.scored.length;
    addOthers(outcome, plan);
    return outcome;
  });
}

/** Puts the message of a batch together; an entry of `outcomes` belongs to the entry of `batch.assets` of its index. */
export function composeScores(
  batch: ReadingsMessage,
  model: ModelIdentity | undefined,
  outcomes: readonly AssetOutcome[],
): ScoresMessage {
  const message: ScoresMessage = {
    v: 1,
    kind: 'scores',
    stream: batch.stream,
    epoch: batch.epoch,
    first: batch.first,
    last: batch.last,
    base: batch.base,
    model: model ?? null,
    acceptedMs: batch.acceptedMs,
    assets: [],
    rejected: [],
    unscored: [],
  };
  if (batch.want !== undefined) message.want = batch.want;
  for (const { scored, rejected, unscored } of outcomes) {
    if (scored !== undefined) message.assets.push(scored);
    for (const rejection of rejected) message.rejected.push(rejection);
    for (const entry of unscored) message.unscored.push(entry);
  }
  return message;
}

function addScored(
  outcome: AssetOutcome,
  manifest: BundleManifest,
  plan: AssetPlan,
  scores: BisectedScores,
  firstWindow: number,
): void {
  const { asset } = plan.asset;
  const entry: AssetScores = { asset, seq: [], t: [], score: [], level: [] };
  const above = { row: [] as number[], contribution: [] as number[][], value: [] as Values[] };
  const { warning, alarm } = manifest.levels;
  for (let index = 0; index < plan.scored.length; index += 1) {
    const row = plan.scored[index]!;
    const window = firstWindow + index;
    const score = roundScore(scores.score[window]!);
    const level = score >= alarm ? 2 : score >= warning ? 1 : 0;
    const shares = level === 0 ? undefined : sharesOf(manifest, scores, window);
    const problem = problemOf(scores, window, score, shares, manifest);
    if (problem !== undefined) {
      outcome.rejected.push(rejection(plan, row, problem));
      continue;
    }
    if (shares !== undefined) {
      above.row.push(entry.seq.length);
      above.contribution.push(shares);
      above.value.push(plan.columns.map((column) => column[row]!));
    }
    entry.seq.push(plan.asset.seq[row]!);
    entry.t.push(plan.asset.t[row]!);
    entry.score.push(score);
    entry.level.push(level);
  }
  if (entry.seq.length === 0) return;
  if (above.row.length > 0) {
    entry.above = { signals: manifest.inputs.signals.map((signal) => signal.name), ...above };
  }
  outcome.scored = entry;
}

type Values = (number | null)[];

/** Share of each signal to three digits; undefined for a model that does not tell. */
function sharesOf(
  manifest: BundleManifest,
  scores: BisectedScores,
  window: number,
): number[] | undefined {
  if (scores.contributions === undefined) return undefined;
  const width = manifest.inputs.signals.length;
  const shares: number[] = [];
  for (let at = window * width; at < (window + 1) * width; at += 1) {
    shares.push(Math.round(scores.contributions[at]! * 1_000) / 1_000);
  }
  return shares;
}

/** Why the model's answer for a window cannot be used, or undefined. */
function problemOf(
  scores: BisectedScores,
  window: number,
  score: number,
  shares: readonly number[] | undefined,
  manifest: BundleManifest,
): { code: string; detail: string } | undefined {
  if (scores.failed.size > 0) {
    const reason = scores.failed.get(window);
    if (reason !== undefined) return { code: 'MODEL_FAILED', detail: reason };
  }
  if (!Number.isFinite(score)) return { code: 'NON_FINITE_SCORE', detail: `score is ${score}` };
  const bad = shares?.findIndex((share) => !Number.isFinite(share)) ?? -1;
  if (bad === -1) return undefined;
  const name = manifest.inputs.signals[bad]!.name;
  return { code: 'NON_FINITE_SCORE', detail: `contribution of ${name} is ${shares![bad]}` };
}

function addOthers(outcome: AssetOutcome, plan: AssetPlan): void {
  for (const { row, ...problem } of plan.rejected) {
    outcome.rejected.push(rejection(plan, row, problem));
  }
  for (const [code, rows] of plan.unscored) {
    outcome.unscored.push({
      asset: plan.asset.asset,
      code,
      seq: rows.map((row) => plan.asset.seq[row]!),
      t: rows.map((row) => plan.asset.t[row]!),
    });
  }
}

function rejection(
  plan: AssetPlan,
  row: number,
  { code, detail }: { code: string; detail: string },
): Rejection {
  return {
    seq: plan.asset.seq[row]!,
    asset: plan.asset.asset,
    t: plan.asset.t[row]!,
    code,
    detail: detail.slice(0, DETAIL_MAX),
  };
}
