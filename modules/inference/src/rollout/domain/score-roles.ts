import type {
  ModelIdentity,
  OtherModel,
  ReadingsMessage,
  ScoresMessage,
} from '@holdfast/contracts';
import { type AssetOutcome, composeScores, type ScoredPart } from '../../domain/outcome.ts';
import type { SlotModel } from '../../domain/route-models.ts';
import { type Model, type ScoreOptions, scoreAssets } from '../../domain/score-batch.ts';
import { partOfAsset, partOfUnscored } from '../../domain/split.ts';
import type { Group } from './assign.ts';
import {
  type Comparison,
  comparisonOf,
  type Ran,
  ranOf,
  type Trial,
  tryOut,
} from './comparison.ts';

/** What the models of the route made of a batch. */
export interface RouteOutcome {
  readonly message: ScoresMessage;
  /** Who scored a row where it is not the message's own model, by sequence number. */
  readonly others: ReadonlyMap<number, ModelIdentity>;
  /** By the active models, one for each group. */
  readonly active: readonly Ran[];
  /** By each active model and canary, of the assets that it met. */
  readonly parts: readonly ScoredPart[];
  /** The canaries beside the active models. */
  readonly comparisons: readonly Comparison[];
}

/** An active model that cannot score any more. */
export class ModelLost extends Error {
  readonly code = 'SCORER_UNAVAILABLE';
  readonly slot: SlotModel<Model>;
  constructor(slot: SlotModel<Model>, cause: unknown) {
    super((cause as Error).message, { cause });
    this.slot = slot;
  }
}

/**
 * Scores a batch with the models that its assets meet: a pure function of the batch, the models and their roles. The
 * rows of a canary's assets are scored by the active model too: where the canary gives no score, the row has the outcome
 * that it would have without a canary, so a bad one costs the site nothing.
 * @param groups of the assets of the batch @throws ModelLost when an active model has no worker any more
 */
export async function scoreByRoles(
  batch: ReadingsMessage,
  groups: readonly Group<Model>[],
  options: ScoreOptions,
): Promise<RouteOutcome> {
  const run = (slot: SlotModel<Model> | undefined, { indexes }: Group<Model>) =>
    scoreAssets(
      indexes.map((index) => batch.assets[index]!),
      slot?.model,
      options,
    );
  const [active, trials] = await Promise.all([
    Promise.all(groups.map((group) => runActive(group.active, run(group.active, group)))),
    Promise.all(
      groups.map((group) =>
        group.canary === undefined ? undefined : tryOut(run(group.canary, group)),
      ),
    ),
  ]);
  const parts = active.map(({ part }) => part);
  const comparisons: Comparison[] = [];
  for (const [at, { active: slot, canary }] of groups.entries()) {
    const trial = trials[at];
    if (slot === undefined || canary === undefined || trial === undefined) continue;
    if ('part' in trial) parts.push(trial.part);
    comparisons.push(comparisonOf(canary, trial, { model: slot.model, ran: active[at]! }));
  }
  return { ...compose(batch, groups, active, trials), active, parts, comparisons };
}

async function runActive(
  slot: SlotModel<Model> | undefined,
  running: Promise<ScoredPart>,
): Promise<Ran> {
  try {
    return ranOf(await running);
  } catch (error) {
    const lost = (error as { code?: string }).code === 'SCORER_UNAVAILABLE';
    throw lost && slot !== undefined ? new ModelLost(slot, error) : error;
  }
}

interface Entry {
  outcome: AssetOutcome;
  identity: ModelIdentity | undefined;
}

function compose(
  batch: ReadingsMessage,
  groups: readonly Group<Model>[],
  active: readonly Ran[],
  trials: readonly (Trial | undefined)[],
): Pick<RouteOutcome, 'message' | 'others'> {
  const byAsset: Entry[][] = [];
  for (const [at, group] of groups.entries()) {
    const trial = trials[at];
    const tried = trial !== undefined && 'part' in trial ? trial.outcomes : [];
    for (const [place, index] of group.indexes.entries()) {
      byAsset[index] = entriesOf(group, active[at]!.outcomes[place]!, tried[place]?.scored);
    }
  }
  const entries = byAsset.flat();
  const most = mostRows(entries) ?? groups[0]?.active?.model.identity;
  const others = new Map<number, ModelIdentity>();
  for (const { outcome, identity } of entries) {
    if (identity === undefined || identity.digest === most?.digest) continue;
    for (const seq of outcome.scored?.seq ?? []) others.set(seq, identity);
  }
  const outcomes = entries.map(({ outcome }) => outcome);
  return { message: composeScores(batch, most, outcomes), others };
}

/** What the canary has scored, and the outcome of all other rows without it. */
function entriesOf(
  { active, canary }: Group<Model>,
  outcome: AssetOutcome,
  tried: AssetOutcome['scored'],
): Entry[] {
  const identity = active?.model.identity;
  if (tried === undefined) return [{ outcome, identity }];
  const own = { scored: tried, rejected: [], unscored: [] };
  return [
    { outcome: own, identity: canary?.model.identity },
    { outcome: without(outcome, tried.seq), identity },
  ];
}

/** The outcome of the rows that a canary has not scored. */
function without({ scored, rejected, unscored }: AssetOutcome, taken: readonly number[]) {
  const seqs = new Set(taken);
  const stays = (seq: number): boolean => !seqs.has(seq);
  const rest = scored === undefined ? undefined : partOfAsset(scored, stays);
  return {
    scored: rest === undefined || rest.seq.length === 0 ? undefined : rest,
    rejected: rejected.filter(({ seq }) => stays(seq)),
    unscored: unscored
      .map((entry) => partOfUnscored(entry, stays))
      .filter(({ seq }) => seq.length > 0),
  };
}

/** The model that scored most rows; of equals the one that comes first. */
function mostRows(entries: readonly Entry[]): ModelIdentity | undefined {
  const rows = new Map<string, { identity: ModelIdentity; count: number }>();
  for (const { outcome, identity } of entries) {
    if (identity === undefined || outcome.scored === undefined) continue;
    const known = rows.get(identity.digest) ?? { identity, count: 0 };
    known.count += outcome.scored.seq.length;
    rows.set(identity.digest, known);
  }
  let most: { identity: ModelIdentity; count: number } | undefined;
  for (const one of rows.values()) if (most === undefined || one.count > most.count) most = one;
  return most?.identity;
}

/** For the notes of a message, which may be a part of the batch. */
export function otherModelsIn(
  { assets }: ScoresMessage,
  others: ReadonlyMap<number, ModelIdentity>,
): OtherModel[] {
  if (others.size === 0) return [];
  const models = new Map<string, OtherModel>();
  for (const [index, { seq }] of assets.entries()) {
    // All rows of an entry have one model.
    const model = others.get(seq[0]!);
    if (model === undefined) continue;
    const known = models.get(model.digest);
    if (known === undefined) models.set(model.digest, { model, assets: [index] });
    else known.assets.push(index);
  }
  return [...models.values()];
}
