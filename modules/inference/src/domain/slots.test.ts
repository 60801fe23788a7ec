import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ModelRole } from './catalog.ts';
import { isReady, NO_SLOTS, roleOf, type Slots, type Wanted } from './slot.ts';
import type { Effect, SlotEvent } from './slot-events.ts';
import { reduce } from './slots.ts';

let slots: Slots;
let started: Extract<Effect, { kind: 'start' }>[];
beforeEach(() => {
  slots = NO_SLOTS;
  started = [];
});

const wantedOf = (digest: string, role: ModelRole = 'active'): Wanted => ({
  source: { ref: `/${digest}`, digest, inPlace: false },
  role,
  share: 0,
});
function happen(event: SlotEvent): void {
  const change = reduce(slots, event, 1);
  slots = change.slots;
  for (const effect of change.effects) if (effect.kind === 'start') started.push(effect);
}
/** The last job that was started for the slot ends well. */
function done(slot: string): void {
  const job = started.findLast((one) => one.slot === slot)!;
  const identity = { name: 'm', version: '1', digest: job.digest ?? '' };
  happen({ kind: 'done', slot, job: job.job, identity });
}
const actives = (): string[] =>
  [...slots.byName.values()]
    .filter((slot) => isReady(slot) && roleOf(slot) === 'active')
    .map(({ name, current }) => `${name} ${current?.identity?.digest}`);
const lose = (slot: string): void => {
  const load = slots.byName.get(slot)!.current!.load!;
  happen({ kind: 'lost', slot, load, reason: 'its worker ended' });
};

/** Slot `a` active and lost, slot `b` a canary that was promoted: the only active one. */
function onlyPromoted(): void {
  happen({ kind: 'want', wanted: { a: wantedOf('A'), b: wantedOf('B', 'canary') } });
  done('a');
  done('b');
  happen({ kind: 'promote', slot: 'b', digest: 'B' });
  lose('a');
  expect(actives()).toEqual(['b B']);
}

describe('the only active model', () => {
  it('is not taken away by a verdict', () => {
    onlyPromoted();
    happen({ kind: 'roll-back', slot: 'b', digest: 'B', code: 'C', reason: 'worse' });
    expect(actives()).toEqual(['b B']);
    happen({ kind: 'retry', slot: 'a' });
    done('a');
    happen({ kind: 'roll-back', slot: 'b', digest: 'B', code: 'C', reason: 'worse' });
    expect(actives()).toEqual(['a A']);
  });

  it('that was promoted hands its place on, until another one is ready', () => {
    onlyPromoted();
    happen({ kind: 'want', wanted: { a: wantedOf('A'), b: wantedOf('B2', 'canary') } });
    done('b');
    expect(actives()).toEqual(['b B2']);
    happen({ kind: 'retry', slot: 'a' });
    done('a');
    expect(actives()).toEqual(['a A']);
    expect(roleOf(slots.byName.get('b')!)).toBe('canary');
  });
});

describe('a job', () => {
  it('that was cancelled changes nothing when it ends all the same', () => {
    happen({ kind: 'want', wanted: { a: wantedOf('A') } });
    const [first] = started;
    happen({ kind: 'want', wanted: { a: wantedOf('A2') } });
    const before = slots;
    const late = { slot: 'a', job: first!.job, code: 'C', reason: 'late' };
    happen({ kind: 'failed', ...late });
    happen({ kind: 'refused', ...late });
    happen({ kind: 'done', ...late, identity: { name: 'm', version: '1', digest: 'A' } });
    expect(slots.byName).toEqual(before.byName);
    done('a');
    expect(actives()).toEqual(['a A2']);
  });

  it('of a new model waits for none but the loading of what should serve already', () => {
    happen({ kind: 'want', wanted: { a: wantedOf('A') } });
    done('a');
    happen({ kind: 'want', wanted: { a: wantedOf('A2') } });
    const fetching = started.at(-1)!;
    happen({ kind: 'step', slot: 'a', job: fetching.job, state: 'fetching' });
    happen({ kind: 'renew' });
    expect(slots.byName.get('a')?.job?.id).toBe(fetching.job);
    lose('a');
    happen({ kind: 'retry', slot: 'a' });
    expect(slots.byName.get('a')?.job?.of).toBe('current');
    done('a');
    expect(actives()).toEqual(['a A']);
    expect(slots.byName.get('a')?.job?.of).toBe('next');
    done('a');
    expect(actives()).toEqual(['a A2']);
  });
});
