/**
 * Goal: whatever happens in whatever order, there is never a moment without an active model once there was one, a slot
 * never has two jobs, nothing is out of service without a reason, no loaded model is forgotten, and when everything
 * works the wanted set comes about. Method: random events, with a world that has the jobs and models of the effects.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { ModelRole } from './catalog.ts';
import { digestsInUse, remember, restore } from './remembered.ts';
import { isReady, NO_SLOTS, roleOf, type Slot, type Slots, type Wanted } from './slot.ts';
import type { Effect, SlotEvent } from './slot-events.ts';
import { reduce } from './slots.ts';

const digestOf = (bundle: string): string => `sha256:${bundle.repeat(64)}`;
const identityOf = (digest: string) => ({ name: 'm', version: digest.slice(-1), digest });
const wantedOf = (bundle: string, role: ModelRole): Wanted => ({
  source: { ref: `https://models.example/${bundle}`, digest: digestOf(bundle), inPlace: false },
  role,
  share: role === 'canary' ? 0.1 : 0,
});
type Job = Extract<Effect, { kind: 'start' }>;

class World {
  slots: Slots = NO_SLOTS;
  now = 1;
  readonly jobs = new Map<number, Job>();
  readonly loaded = new Map<number, string>();
  readonly draining = new Map<number, string>();
  readonly later = new Set<string>();
  served = false;
  /** Something happened after which no rule could keep a model active. */
  excused = false;
  /** The twin wants no active model. */
  #wantsNone = true;

  do(event: SlotEvent): void {
    this.now += 1;
    const { slots, effects } = reduce(this.slots, event, this.now);
    this.slots = slots;
    for (const effect of effects) this.#apply(effect);
    this.#check();
  }

  #apply(effect: Effect): void {
    if (effect.kind === 'start') this.jobs.set(effect.job, effect);
    else if (effect.kind === 'cancel') expect(this.jobs.delete(effect.job)).toBe(true);
    else if (effect.kind === 'later') this.later.add(effect.slot);
    else if (effect.kind === 'drain') {
      expect(this.loaded.delete(effect.load)).toBe(true);
      this.draining.set(effect.load, effect.slot);
    }
  }

  get all(): Slot[] {
    return [...this.slots.byName.values()];
  }
  get actives(): Slot[] {
    return this.all.filter((slot) => isReady(slot) && roleOf(slot) === 'active');
  }

  #check(): void {
    const held = this.all.flatMap(({ job }) => (job === undefined ? [] : [job.id]));
    expect(held.sort()).toEqual([...this.jobs.keys()].sort());
    const models = this.all.flatMap(({ current }) => current?.load ?? []);
    expect(models.sort()).toEqual([...this.loaded.keys()].sort());
    for (const slot of this.all) {
      for (const place of [slot.current, slot.next]) {
        if (place === undefined) continue;
        const out = ['failed', 'refused', 'rolled-back', 'unloaded'].includes(place.state);
        if (out) expect(place.reason).toBeTruthy();
        expect(place.state === 'ready').toBe(place.load !== undefined);
      }
    }
    if (this.actives.length > 0) {
      this.served = true;
      this.excused = false;
    } else if (this.served && !this.excused && !this.#wantsNone) {
      throw new Error(`no active model: ${JSON.stringify(this.all)}`);
    }
    if (this.actives.length > 0) {
      const next = restore(remember(this.slots), this.now);
      const good = [...next.byName.values()].some(
        (slot) => slot.current && roleOf(slot) === 'active',
      );
      expect(good).toBe(true);
      for (const { current } of next.byName.values()) {
        if (current) expect(digestsInUse(this.slots)).toContain(current.identity?.digest);
      }
    }
  }

  want(wanted: Record<string, Wanted>): void {
    const wantedNone = this.#wantsNone;
    this.#wantsNone = !Object.values(wanted).some(({ role }) => role === 'active');
    if (wantedNone) this.excused = true;
    this.do({ kind: 'want', wanted });
  }

  finish(job: Job, outcome: 'done' | 'failed' | 'refused'): void {
    this.jobs.delete(job.job);
    const { slot } = job;
    if (outcome === 'done') {
      const digest = job.digest ?? digestOf('0');
      this.loaded.set(job.job, slot);
      this.do({ kind: 'done', slot, job: job.job, identity: identityOf(digest) });
    } else this.do({ kind: outcome, slot, job: job.job, code: 'CODE', reason: 'why' });
  }

  /** The process ends and begins again; the bundles on its disk load. */
  restart(wanted: Record<string, Wanted>): void {
    const { slots } = this;
    for (const each of [this.jobs, this.loaded, this.draining, this.later]) each.clear();
    const before = this.actives.length > 0 && !this.#wantsNone;
    this.excused = true;
    this.slots = restore(remember(slots), this.now);
    this.do({ kind: 'want', wanted });
    for (const job of [...this.jobs.values()]) {
      if (this.slots.byName.get(job.slot)?.job?.of === 'current') this.finish(job, 'done');
    }
    if (before) expect(this.actives.length).toBeGreaterThan(0);
  }
}

const NAMES = ['a', 'b', 'c'];
const name = fc.constantFrom(...NAMES);
const wantedSet = (bundles: string[]) =>
  fc.dictionary(
    name,
    fc
      .tuple(
        fc.constantFrom(...bundles),
        fc.constantFrom<ModelRole>('active', 'active', 'canary', 'shadow', 'serve'),
      )
      .map(([bundle, role]) => wantedOf(bundle, role)),
    { maxKeys: 3 },
  );
type Step =
  | { do: 'want'; wanted: Record<string, Wanted> }
  | { do: 'job'; at: number; outcome: 'step' | 'done' | 'failed' | 'refused' }
  | {
      do: 'event';
      kind: 'retry' | 'promote' | 'roll-back' | 'revert' | 'unload' | 'renew' | 'lost';
      slot: string;
    }
  | { do: 'later' | 'drained' | 'restart' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: wantedSet(['1', '2', '3', '4']).map((wanted) => ({ do: 'want' as const, wanted })),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('job' as const),
      at: fc.nat(5),
      outcome: fc.constantFrom('step', 'done', 'done', 'done', 'failed', 'refused'),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('event' as const),
      kind: fc.constantFrom('retry', 'promote', 'roll-back', 'revert', 'unload', 'renew', 'lost'),
      slot: name,
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('later', 'drained', 'restart'),
    }) as fc.Arbitrary<Step>,
  },
);

function play(world: World, steps: readonly Step[]): void {
  let wanted: Record<string, Wanted> = {};
  for (const one of steps) {
    if (one.do === 'want') {
      wanted = one.wanted;
      world.want(wanted);
    } else if (one.do === 'job') {
      const job = [...world.jobs.values()][one.at];
      if (job !== undefined) playJob(world, job, one.outcome);
    } else if (one.do === 'event') playEvent(world, one);
    else if (one.do === 'later') for (const slot of world.later) world.do({ kind: 'retry', slot });
    else if (one.do === 'restart') world.restart(wanted);
    else drain(world);
  }
}

function playJob(world: World, job: Job, outcome: 'step' | 'done' | 'failed' | 'refused'): void {
  const of = world.slots.byName.get(job.slot)?.job?.of;
  if (outcome === 'step')
    world.do({ kind: 'step', slot: job.slot, job: job.job, state: 'loading' });
  // What served already and is on the disk loads: otherwise nothing could be promised.
  else world.finish(job, of === 'current' ? 'done' : outcome);
}

function playEvent(world: World, { kind, slot }: Extract<Step, { do: 'event' }>): void {
  const current = world.slots.byName.get(slot)?.current;
  const digest = current?.identity?.digest ?? '';
  if (kind === 'retry') world.do({ kind, slot, byHand: true });
  else if (kind === 'promote') world.do({ kind, slot, digest });
  else if (kind === 'roll-back') world.do({ kind, slot, digest, code: 'CODE', reason: 'worse' });
  else if (kind === 'revert' || kind === 'unload') world.do({ kind, slot, reason: 'by hand' });
  else if (kind === 'renew') world.do({ kind, slot });
  else if (current?.load !== undefined) {
    world.excused = true;
    world.do({ kind: 'lost', slot, load: current.load, reason: 'its worker ended' });
  }
}

const drain = (world: World): void => {
  for (const [load, slot] of [...world.draining]) {
    world.draining.delete(load);
    world.do({ kind: 'drained', slot, load });
  }
};

describe('the life of the models', () => {
  it('keeps its promises whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => play(new World(), steps)),
      { numRuns: 3_000 },
    );
  });

  it('ends in the wanted set when everything works', () => {
    const last = wantedSet(['7', '8', '9']);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), last, (steps, wanted) => {
        const world = new World();
        play(world, steps);
        world.want(wanted);
        for (let round = 0; world.jobs.size + world.draining.size > 0 || round < 2; round += 1) {
          expect(round).toBeLessThan(20);
          for (const job of [...world.jobs.values()])
            if (world.jobs.has(job.job)) world.finish(job, 'done');
          for (const slot of world.later) world.do({ kind: 'retry', slot });
          drain(world);
        }
        expect(world.all.map(({ name: slot }) => slot).sort()).toEqual(Object.keys(wanted).sort());
        for (const slot of world.all) {
          const { source, role } = wanted[slot.name]!;
          expect(slot).toMatchObject({ role, promoted: false, draining: [], current: { source } });
          expect(isReady(slot)).toBe(true);
          expect(slot.next).toBeUndefined();
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
