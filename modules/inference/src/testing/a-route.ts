import type { ModelRole } from '../domain/catalog.ts';
import type { RouteModels, SlotModel } from '../domain/route-models.ts';
import type { Model } from '../domain/score-batch.ts';
import type { ModelRoles } from '../rollout/domain/assign.ts';
import { rolloutSetting } from '../rollout/rollout-setting.ts';
import { Route, type RouteOptions } from '../rollout/route.ts';
import { ShadowRuns } from '../rollout/shadow-runs.ts';

export const aSlot = (
  slot: string,
  model: Model,
  given: { role?: ModelRole; share?: number } = {},
): SlotModel<Model> => ({ slot, role: 'active', share: 0, sinceMs: 0, ...given, model });

/** Slots that a test fills and empties as it likes; `promote` and `rollBack` do what they say. */
export class Slots implements RouteModels<Model> {
  all: SlotModel<Model>[] = [];
  readonly rolledBack: { slot: string; code: string; reason: string }[] = [];
  readonly promoted: string[] = [];

  actives = () => this.#of('active');
  canaries = () => this.#of('canary');
  shadows = () => this.#of('shadow');

  promote(slot: string, digest: string): boolean {
    const found = this.#find(slot, digest);
    if (found === undefined) return false;
    const others = this.all.filter((one) => one !== found);
    this.all = [{ ...found, role: 'active', share: 0 }, ...others];
    this.promoted.push(slot);
    return true;
  }

  rollBack(slot: string, digest: string, why: { code: string; reason: string }): boolean {
    const found = this.#find(slot, digest);
    if (found === undefined) return false;
    this.all = this.all.filter((one) => one !== found);
    this.rolledBack.push({ slot, ...why });
    return true;
  }

  #of(role: ModelRole): SlotModel<Model>[] {
    return this.all.filter((one) => one.role === role);
  }

  #find(slot: string, digest: string): SlotModel<Model> | undefined {
    return this.all.find((one) => one.slot === slot && one.model.identity.digest === digest);
  }
}

/** A route over these models; shadows use the models' own scorers. */
export function aRoute(roles: () => Partial<ModelRoles<Model>>, given: Partial<RouteOptions> = {}) {
  const models: RouteModels<Model> = {
    actives: () => roles().actives ?? [],
    canaries: () => roles().canaries ?? [],
    shadows: () => roles().shadows ?? [],
    promote: () => false,
    rollBack: () => false,
  };
  return new Route({
    ...{ models, shadows: new ShadowRuns(({ scorer }) => scorer) },
    ...{ setting: () => rolloutSetting.parse(undefined), lost: () => {}, observe: () => {} },
    ...given,
  });
}

/** A route with one active model, or none. */
export const routeOf = (
  model: () => Model | undefined,
  lost: (reason: string) => void = () => {},
): Route =>
  aRoute(
    () => {
      const one = model();
      return { actives: one === undefined ? [] : [aSlot('mounted', one)] };
    },
    { lost: (_, reason) => lost(reason) },
  );
