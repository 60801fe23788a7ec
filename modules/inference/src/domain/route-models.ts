import { type BundleManifest, lookbackOf } from '@holdfast/contracts';
import type { ModelRole } from './catalog.ts';

/** A model that is ready, with what its slot says about it. `Model` is what the caller scores with. */
export interface SlotModel<Model = unknown> {
  readonly slot: string;
  /** As it counts now: a promoted canary is `active`, whatever the twin still says. */
  readonly role: ModelRole;
  /** Share of the assets, 0 to 1; 0 unless it is a canary. */
  readonly share: number;
  /** Wall clock, ms: since when it is ready in this slot. */
  readonly sinceMs: number;
  readonly model: Model;
}

/** Why a model is taken out of service; `code` is for counters, `reason` a sentence part for people. */
export interface RollBack {
  readonly code: string;
  readonly reason: string;
}

/** The models that rows of the route may meet. The lists change between two turns of the event loop only. */
export interface RouteModels<Model = unknown> {
  /** In the order in which they are asked: promoted canaries first, then by name of the slot. */
  actives(): readonly SlotModel<Model>[];
  canaries(): readonly SlotModel<Model>[];
  shadows(): readonly SlotModel<Model>[];
  /**
   * The canary or shadow counts as active from now on, before all others, also after a restart. Idempotent. False when
   * the slot holds another model by now.
   */
  promote(slot: string, digest: string): boolean;
  /**
   * Takes the slot's model out of service, also after a restart: it is not tried again before `ref` or `digest` of the
   * slot change. Idempotent. False when the slot holds another model by now, or when it is the only active one, after
   * which nothing would score.
   */
  rollBack(slot: string, digest: string, why: RollBack): boolean;
}

type HasManifest = { readonly manifest: BundleManifest };

/** True when the asset has every signal of the model. */
export const fits = ({ manifest }: HasManifest, signals: ReadonlySet<string>): boolean =>
  manifest.inputs.signals.every(({ name }) => signals.has(name));

/**
 * The model for an asset with these signals: the first that fits. When none fits it is the first of all, whose
 * outcome then says that signals are missing; undefined when there is no model.
 */
export function chooseActive<Model extends HasManifest>(
  actives: readonly SlotModel<Model>[],
  signals: Iterable<string>,
): SlotModel<Model> | undefined {
  if (actives.length < 2) return actives[0];
  const names = new Set(signals);
  return actives.find(({ model }) => fits(model, names)) ?? actives[0];
}

/** The largest lookback that any of the models needs, with the model that needs it; undefined without models. */
export function largestLookback<Model extends HasManifest>(
  models: readonly SlotModel<Model>[],
): SlotModel<Model> | undefined {
  let largest: SlotModel<Model> | undefined;
  for (const one of models) {
    if (
      largest === undefined ||
      lookbackOf(one.model.manifest) > lookbackOf(largest.model.manifest)
    )
      largest = one;
  }
  return largest;
}
