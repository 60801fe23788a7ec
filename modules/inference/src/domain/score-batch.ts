import {
  type AssetReadings,
  type BundleManifest,
  hasContributions,
  lookbackOf,
  type ReadingsMessage,
  type ScoresMessage,
} from '@holdfast/contracts';
import { type BisectedScores, scoreBisecting } from './bisect.ts';
import { composeScores, outcomesOf, type ScoredPart } from './outcome.ts';
import type { Scorer } from './scorer.ts';
import { type AssetPlan, planAsset, planWithout, writeWindow } from './window.ts';

/** A model ready to score. */
export interface Model {
  readonly identity: ScoresMessage['model'] & object;
  readonly manifest: BundleManifest;
  readonly scorer: Scorer;
  /** The same model for work that all other goes before. */
  readonly shadowScorer?: Scorer;
}

/** Numbers in one run's input: 1 MB of float32, a run of a small model then takes about a millisecond. */
export const RUN_FLOATS_MAX = 262_144;

export interface ScoreOptions {
  windowsPerRunMax: number;
  /** Waits for a turn of the event loop; awaited between long stretches of work. */
  turn(): Promise<void>;
}

/**
 * The outcome of a batch by one model, a pure function of both: the same input gives the same message, whatever the
 * size of the runs. Without a model every row is unscored. @throws what the scorer throws with SCORER_UNAVAILABLE
 */
export async function scoreBatch(
  batch: ReadingsMessage,
  model: Model | undefined,
  options: ScoreOptions,
): Promise<ScoresMessage> {
  const part = await scoreAssets(batch.assets, model, options);
  return composeScores(batch, model?.identity, outcomesOf(part));
}

/** The rows of some assets, scored by one model. @throws as scoreBatch */
export async function scoreAssets(
  assets: readonly AssetReadings[],
  model: Model | undefined,
  options: ScoreOptions,
): Promise<ScoredPart> {
  if (model === undefined) {
    const plans = assets.map((asset) => planWithout(asset, 'no-model'));
    return { model, plans, scores: noScores() };
  }
  const plans = assets.map((asset) => planAsset(asset, model.manifest.inputs));
  const scores = await scorePlans(plans, model, options);
  await options.turn();
  return { model, plans, scores };
}

const noScores = (): BisectedScores => ({ score: new Float32Array(0), failed: new Map() });

/** Scores of all planned windows, in the order of the plans, in as few runs as the limits allow. */
async function scorePlans(
  plans: readonly AssetPlan[],
  { manifest, scorer }: Model,
  { windowsPerRunMax, turn }: ScoreOptions,
): Promise<BisectedScores> {
  const windows = plans.flatMap((plan) => plan.scored.map((row) => ({ plan, row })));
  const signals = manifest.inputs.signals.length;
  const floats = manifest.inputs.rows * signals;
  // What is read for a window counts as well: with resampling it can be many times the window.
  const work = Math.max(floats, lookbackOf(manifest) * signals);
  const perRun = Math.max(1, Math.min(windowsPerRunMax, Math.floor(RUN_FLOATS_MAX / work)));
  const total: BisectedScores = { score: new Float32Array(windows.length), failed: new Map() };
  if (hasContributions(manifest)) {
    total.contributions = new Float32Array(windows.length * signals);
  }
  for (let start = 0; start < windows.length; start += perRun) {
    if (start > 0) await turn();
    const count = Math.min(perRun, windows.length - start);
    const run = (from: number, to: number) => {
      const input = scorer.room((to - from) * floats);
      for (let index = from; index < to; index += 1) {
        const { plan, row } = windows[start + index]!;
        writeWindow(plan, row, input, (index - from) * floats);
      }
      return scorer.run(input, to - from);
    };
    const scores = await scoreBisecting({ count, signals, run });
    total.score.set(scores.score, start);
    if (scores.contributions !== undefined) {
      total.contributions?.set(scores.contributions, start * signals);
    }
    for (const [index, reason] of scores.failed) total.failed.set(start + index, reason);
    if (scores.inferNs !== undefined) total.inferNs = (total.inferNs ?? 0) + scores.inferNs;
  }
  return total;
}
