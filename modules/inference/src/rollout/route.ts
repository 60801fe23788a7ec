import type { ReadingsMessage } from '@holdfast/contracts';
import type { RouteModels, SlotModel } from '../domain/route-models.ts';
import type { Model, ScoreOptions } from '../domain/score-batch.ts';
import { groupsOf, type ModelRoles } from './domain/assign.ts';
import { type Comparison, comparisonOf } from './domain/comparison.ts';
import { ModelLost, type RouteOutcome, scoreByRoles } from './domain/score-roles.ts';
import type { RolloutSetting } from './rollout-setting.ts';
import type { ShadowRun, ShadowRuns } from './shadow-runs.ts';

export interface RouteOptions {
  models: RouteModels<Model>;
  shadows: ShadowRuns;
  setting(): RolloutSetting;
  /** An active model cannot score any more. */
  lost(slot: SlotModel<Model>, reason: string): void;
  /** Every comparison, also one that came too late for the message. */
  observe(comparison: Comparison): void;
}

/** The outcome of a batch, and all comparisons that were there in time to travel with it. */
export type Routed = RouteOutcome & { readonly compared: readonly Comparison[] };

/** Scores batches with the models that stand in the slots, and lets shadows and canaries be compared. */
export class Route {
  readonly #options: RouteOptions;

  constructor(options: RouteOptions) {
    this.#options = options;
  }

  /** The models of this moment. */
  get roles(): ModelRoles<Model> {
    const { models } = this.#options;
    return { actives: models.actives(), canaries: models.canaries(), shadows: models.shadows() };
  }

  /**
   * Shadows begin with the route and are waited for only for a moment after it. An active model that is lost meanwhile is
   * left out, and its assets meet the others. @param options.busy batches wait: shadows are left out
   */
  async score(
    batch: ReadingsMessage,
    options: ScoreOptions & { busy: boolean },
    without: readonly SlotModel<Model>[] = [],
  ): Promise<Routed> {
    const { shadows, setting, lost } = this.#options;
    const { actives, ...candidates } = this.roles;
    const left = actives.filter(({ model }) => !without.some((one) => one.model === model));
    const groups = groupsOf(batch.assets, { ...candidates, actives: left });
    const scoring = scoreByRoles(batch, groups, options);
    const batchesMax = setting().shadowBatchesMax;
    const runs = shadows.start(batch, groups, { ...options, batchesMax });
    try {
      const outcome = await scoring;
      return { ...outcome, compared: await this.#compare(outcome, groups, runs) };
    } catch (error) {
      if (!(error instanceof ModelLost)) throw error;
      const { slot } = error;
      // Another model may have taken its place, or somebody else may have seen it too.
      if (this.roles.actives.some(({ model }) => model === slot.model)) lost(slot, error.message);
      return this.score(batch, options, [...without, slot]);
    }
  }

  async #compare(
    outcome: RouteOutcome,
    groups: ReturnType<typeof groupsOf<Model>>,
    runs: readonly ShadowRun[],
  ): Promise<Comparison[]> {
    const { observe, setting } = this.#options;
    const compared = [...outcome.comparisons];
    for (const comparison of compared) observe(comparison);
    const ends = runs.map(async ({ slot, group, trial }) => {
      const ended = await trial;
      const active = groups[group]?.active;
      if (active === undefined) return;
      const ran = outcome.active[group]!;
      const comparison = comparisonOf(slot, ended, { model: active.model, ran });
      compared.push(comparison);
      observe(comparison);
    });
    const { shadowWaitMs } = setting();
    if (ends.length > 0 && shadowWaitMs > 0) await within(Promise.all(ends), shadowWaitMs);
    // A late one goes on to be counted, but the message is on its way.
    return [...compared];
  }
}

/** Resolves with `work`, or when the time is over. */
async function within(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, over]);
  clearTimeout(timer);
}
