import type { BundleManifest, ModelIdentity } from '@holdfast/contracts';
import { type AssetOutcome, outcomesOf, type ScoredPart } from '../../domain/outcome.ts';
import type { SlotModel } from '../../domain/route-models.ts';
import type { Model } from '../../domain/score-batch.ts';
import { type PairedRows, pairRows, pairWithout } from './pairs.ts';

/** The rows of some assets by one model. */
export interface Ran {
  readonly part: ScoredPart;
  /** One for each asset. */
  readonly outcomes: readonly AssetOutcome[];
}

/** What became of the run of a candidate. */
export type Trial = Ran | { readonly code: string; readonly message: string };

export const ranOf = (part: ScoredPart): Ran => ({ part, outcomes: outcomesOf(part) });

/** Never rejects: what goes wrong with a candidate is the candidate's. */
export async function tryOut(running: Promise<ScoredPart>): Promise<Trial> {
  try {
    return ranOf(await running);
  } catch (error) {
    const { code = 'UNEXPECTED', message } = error as { code?: string; message: string };
    return { code, message };
  }
}

/** A candidate beside the active model, on rows of one batch that this one has scored. */
export interface Comparison {
  readonly slot: string;
  readonly role: 'canary' | 'shadow';
  readonly identity: ModelIdentity;
  readonly assets: readonly PairedRows[];
  readonly levels: {
    readonly active: BundleManifest['levels'];
    readonly candidate: BundleManifest['levels'];
  };
  /** Mean time of a window in each model, ns; absent where the two were not measured on equal terms. */
  readonly windowNs?: { readonly active: number; readonly candidate: number };
  /** Why nothing could be compared, although it is no fault of the candidate. */
  readonly dropped?: string;
}

/** Codes with which a run was not begun because others go first. */
const NOT_ITS_FAULT: ReadonlySet<string> = new Set(['QUEUE_FULL', 'DEADLINE', 'BUSY']);

/** Both on the same assets, in the same order. */
export function comparisonOf(
  candidate: SlotModel<Model>,
  trial: Trial,
  active: { readonly model: Model; readonly ran: Ran },
): Comparison {
  const known = {
    slot: candidate.slot,
    role: candidate.role === 'canary' ? ('canary' as const) : ('shadow' as const),
    identity: candidate.model.identity,
    levels: { active: active.model.manifest.levels, candidate: candidate.model.manifest.levels },
  };
  const failed = 'code' in trial;
  if (failed && NOT_ITS_FAULT.has(trial.code)) return { ...known, assets: [], dropped: trial.code };
  const assets = active.ran.outcomes.flatMap((outcome, at) => {
    const rows = failed
      ? pairWithout(outcome, 'MODEL_FAILED')
      : pairRows(outcome, trial.outcomes[at]!);
    return rows ?? [];
  });
  const windowNs = failed ? undefined : windowTimes(active.ran.part, trial.part);
  return { ...known, assets, ...(windowNs === undefined ? {} : { windowNs }) };
}

/** Runs of very different size are not compared: what a run costs beside its windows would count against the small one. */
const SIZE_RATIO_MAX = 1.25;

function windowTimes(active: ScoredPart, candidate: ScoredPart): Comparison['windowNs'] {
  const [one, other] = [active.scores, candidate.scores];
  const [few, many] = [one.score.length, other.score.length].sort((a, b) => a - b);
  if (few === undefined || many === undefined || few * SIZE_RATIO_MAX < many || few === 0) return;
  if (one.inferNs === undefined || other.inferNs === undefined) return undefined;
  return {
    active: one.inferNs / one.score.length,
    candidate: other.inferNs / other.score.length,
  };
}
