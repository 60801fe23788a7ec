import type { Catalog, CatalogEntry, ModelRole } from '../domain/catalog.ts';
import type { RollBack, RouteModels, SlotModel } from '../domain/route-models.ts';
import { isReady, roleOf, type Slot, type Wanted } from '../domain/slot.ts';
import type { SlotEvent } from '../domain/slot-events.ts';
import type { ModelCounts } from './model-counts.ts';
import { entriesOf, reportedOf, statusOf } from './model-view.ts';
import type { SetModel } from './set-model.ts';
import { SlotKeeper, type SlotKeeperOptions } from './slot-keeper.ts';

/**
 * The models of the module, as the pipeline, the HTTP API and the operator see them. Whoever asks sees the old set or
 * the new one, never half of a change; what was handed out goes on to work until its runs have ended.
 */
export class ModelSet<Model extends SetModel = SetModel> implements Catalog, RouteModels<Model> {
  readonly #keeper: SlotKeeper<Model>;
  #lists: RouteLists<Model> | undefined;

  constructor(options: SlotKeeperOptions<Model>) {
    this.#keeper = new SlotKeeper({
      ...options,
      onChange: () => {
        this.#lists = undefined;
        options.onChange();
      },
    });
  }

  get counts(): ModelCounts {
    return this.#keeper.counts;
  }

  /** See SlotKeeper.start. */
  start(wanted: Readonly<Record<string, Wanted>>, spoken: boolean): Promise<void> {
    return this.#keeper.start(wanted, spoken);
  }

  /** What the twin says now. */
  want(wanted: Readonly<Record<string, Wanted>>): void {
    this.#keeper.do({ kind: 'want', wanted });
    this.#keeper.sweep();
  }

  /** Loads every model anew beside itself, because something has changed that counts when a session is made. */
  renew(): void {
    this.#do({ kind: 'renew' });
  }

  /** The model cannot run any more. */
  lost(model: Pick<SetModel, 'identity'>, reason: string): void {
    for (const { name, current } of this.#slots.values()) {
      const load = current?.load;
      if (load !== undefined && this.#keeper.models.get(load) === model) {
        this.#do({ kind: 'lost', slot: name, load, reason });
      }
    }
  }

  actives(): readonly SlotModel<Model>[] {
    return this.#routeModels().active;
  }
  canaries(): readonly SlotModel<Model>[] {
    return this.#routeModels().canary;
  }
  shadows(): readonly SlotModel<Model>[] {
    return this.#routeModels().shadow;
  }

  promote(slot: string, digest: string): boolean {
    this.#do({ kind: 'promote', slot, digest });
    const now = this.#slots.get(slot);
    return (
      now !== undefined && roleOf(now) === 'active' && now.current?.identity?.digest === digest
    );
  }

  rollBack(slot: string, digest: string, { code, reason }: RollBack): boolean {
    this.#do({ kind: 'roll-back', slot, digest, code, reason });
    const next = this.#slots.get(slot)?.next;
    const is = (one: Slot | undefined): boolean => one?.current?.identity?.digest === digest;
    if (is(this.#slots.get(slot))) return false;
    return next === undefined || next.state !== 'rolled-back' || next.identity?.digest === digest;
  }

  /** By hand: the model before this one. @throws Error with why not */
  revert(name: string, reason: string): void {
    const slot = this.#slot(name);
    if (slot.previous === undefined || slot.current === undefined) {
      throw new Error(`slot "${name}" has no model before this one`);
    }
    this.#do({ kind: 'revert', slot: name, reason });
  }

  /** By hand: tries again at once what failed, was refused or was rolled back, or looks anew at a ref without digest. @throws Error with why not */
  retry(name: string): void {
    const { next, current } = this.#slot(name);
    if (next !== undefined || current?.state === 'failed') {
      this.#do({ kind: 'retry', slot: name, byHand: true });
    } else if (current?.source.digest === undefined) {
      this.#do({ kind: 'renew', slot: name, fetch: true });
    } else {
      throw new Error(`slot "${name}" has the model that the twin wants, there is nothing to try`);
    }
  }

  entries(): readonly CatalogEntry[] {
    return entriesOf(this.#keeper.slots, this.#keeper.models);
  }

  find(name: string, version?: string): CatalogEntry | undefined {
    const rank = ({ state, role }: CatalogEntry): number =>
      (state === 'ready' ? 2 : 0) + (role === 'active' ? 1 : 0);
    return this.entries()
      .filter(({ identity }) => identity?.name === name)
      .filter(({ identity }) => version === undefined || identity?.version === version)
      .sort((a, b) => rank(b) - rank(a))[0];
  }

  /** `name` is that of a bundle or of a slot. @throws Error with why not */
  async load(name: string): Promise<void> {
    for (const slot of this.#named(name)) {
      if (!isReady(slot)) {
        const state = slot.current?.state ?? slot.next?.state;
        this.#do({ kind: state === 'unloaded' ? 'renew' : 'retry', slot: slot.name });
        await this.#keeper.until(() => this.#slots.get(slot.name)?.job === undefined);
      }
      const now = this.#slots.get(slot.name);
      const place = now?.next ?? now?.current;
      if (now && !isReady(now)) throw new Error(place?.reason ?? `it is ${place?.state}`);
    }
  }

  /** `name` is that of a bundle or of a slot. @throws Error with why not */
  async unload(name: string): Promise<void> {
    const slots = this.#named(name);
    for (const slot of slots) {
      if (roleOf(slot) === 'serve') continue;
      const role = roleOf(slot);
      throw new Error(
        `slot "${slot.name}" is ${role} by the module twin and scores the site's readings, only models with role serve can be unloaded`,
      );
    }
    for (const slot of slots) {
      this.#do({ kind: 'unload', slot: slot.name, reason: 'unloaded by the HTTP API' });
    }
  }

  status(): object {
    return statusOf(this.#keeper.slots, this.#keeper.models);
  }
  reported(): Record<string, unknown> {
    return reportedOf(this.#keeper.slots, this.#keeper.gone);
  }

  /** Why no active model serves, as a sentence part; undefined when one does, or when only `serve` was asked for. */
  problem(): string | undefined {
    const slots = [...this.#slots.values()];
    const active = slots.filter((slot) => roleOf(slot) === 'active');
    const asked = active.length > 0 ? active : slots;
    if (asked.some(isReady)) return undefined;
    const [slot] = asked;
    const place = slot?.current ?? slot?.next;
    if (slot === undefined || place === undefined) return 'HOLDFAST_MODEL_DIR is not set';
    const { state, reason } = place;
    if (place.source.inPlace) return reason ?? `it is ${state}`;
    return `slot ${slot.name} is ${state}${reason === undefined ? '' : `: ${reason}`}`;
  }

  /** Ends all jobs and closes all models. */
  close(): Promise<void> {
    return this.#keeper.close();
  }

  #slot(name: string): Slot {
    const slot = this.#slots.get(name);
    if (slot !== undefined) return slot;
    const names = [...this.#slots.keys()].join(', ');
    throw new Error(`there is no slot "${name}", there are: ${names || 'none'}`);
  }

  #named(name: string): Slot[] {
    const slots = [...this.#slots.values()].filter(
      (slot) => slot.name === name || (slot.current ?? slot.next)?.identity?.name === name,
    );
    if (slots.length === 0) throw new Error(`model "${name}" is not known`);
    return slots;
  }

  #routeModels(): RouteLists<Model> {
    if (this.#lists !== undefined) return this.#lists;
    const of = (role: ModelRole): SlotModel<Model>[] =>
      [...this.#slots.values()]
        .filter((slot) => roleOf(slot) === role)
        .sort((a, b) => Number(b.promoted) - Number(a.promoted) || (a.name < b.name ? -1 : 1))
        .flatMap((slot) => {
          const model = this.#keeper.models.get(slot.current?.load ?? -1);
          // Images do not come by the route.
          if (model === undefined || model.manifest.inputs.image !== undefined) return [];
          const { name, share, current } = slot;
          return [{ slot: name, role, share, sinceMs: current!.sinceMs, model }];
        });
    this.#lists = { active: of('active'), canary: of('canary'), shadow: of('shadow') };
    return this.#lists;
  }

  get #slots(): ReadonlyMap<string, Slot> {
    return this.#keeper.slots.byName;
  }

  #do(event: SlotEvent): void {
    this.#keeper.do(event);
  }
}

interface RouteLists<Model> {
  active: SlotModel<Model>[];
  canary: SlotModel<Model>[];
  shadow: SlotModel<Model>[];
}
