/**
 * The life of all models of a module, as a pure function of what happens. States of a model: `waiting` (its turn will
 * come), `fetching`, `verifying`, `loading`, `checking` (a job is at it), `ready` (it serves), `draining` (replaced, it
 * finishes what it was given), `failed` (tried again after a while), `refused` and `rolled-back` (not tried again before
 * its slot in the twin changes, or somebody asks for it), `unloaded` (by the repository API).
 * What holds after every event: a slot has at most one job; what served goes on until what the twin wants instead is
 * ready, within its slot and across slots; everything that does not serve for good has a reason.
 */

import { isReady, roleOf, type Slot, type Slots, type Wanted } from './slot.ts';
import type { Change, Effect, SlotEvent } from './slot-events.ts';
import { isSettled, onSlot, retired, unwantedIn, wantedIn } from './slot-rules.ts';

/** What becomes of the slots, and what is to be done, when something happens. `nowMs` is wall clock. */
export function reduce(slots: Slots, event: SlotEvent, nowMs: number): Change {
  const byName = new Map(slots.byName);
  const effects: Effect[] = [];
  if (event.kind === 'want') {
    onWanted(byName, event.wanted, nowMs, effects);
  } else {
    const names = event.slot === undefined ? [...byName.keys()] : [event.slot];
    for (const name of names) {
      const slot = byName.get(name);
      if (slot === undefined || !isAllowed(byName, slot, event)) continue;
      byName.set(name, onSlot(slot, event, nowMs, effects));
    }
  }
  return settle(byName, slots.lastJob, nowMs, effects);
}

function onWanted(
  byName: Map<string, Slot>,
  wanted: Readonly<Record<string, Wanted>>,
  nowMs: number,
  effects: Effect[],
): void {
  for (const [name, slot] of byName) {
    if (wanted[name] === undefined && slot.wanted) byName.set(name, unwantedIn(slot, effects));
  }
  for (const [name, one] of Object.entries(wanted)) {
    byName.set(name, wantedIn(byName.get(name), name, one, nowMs, effects));
  }
}

/** The last active model is not taken away by a verdict. */
function isAllowed(byName: ReadonlyMap<string, Slot>, slot: Slot, event: SlotEvent): boolean {
  if (event.kind !== 'roll-back' || roleOf(slot) !== 'active') return true;
  return activesOf(byName).some((other) => other !== slot);
}

const activesOf = (byName: ReadonlyMap<string, Slot>): Slot[] =>
  [...byName.values()].filter((slot) => isReady(slot) && roleOf(slot) === 'active');

/** Retires what nobody needs any more, lets roles change, and starts jobs. */
function settle(
  byName: Map<string, Slot>,
  lastJob: number,
  nowMs: number,
  effects: Effect[],
): Change {
  const relieved = isRelieved(byName);
  let id = lastJob;
  for (const [name, before] of byName) {
    let slot = before;
    const holds = roleOf(slot) === 'active' && slot.current !== undefined && !relieved;
    if (!slot.wanted && !holds) slot = retired(slot, nowMs, effects);
    if (slot.wanted && slot.role !== slot.wantedRole && !(slot.role === 'active' && holds)) {
      slot = { ...slot, role: slot.wantedRole };
    }
    const begun = begin(slot, id + 1, nowMs, effects);
    if (begun.job?.id === id + 1) id += 1;
    if (isGone(begun)) byName.delete(name);
    else byName.set(name, begun);
  }
  return { slots: { byName, lastJob: id }, effects };
}

/**
 * Whether active models that the twin does not want (any more) may go: it wants none, or of those that it wants one
 * is ready and none is on its way.
 */
function isRelieved(byName: ReadonlyMap<string, Slot>): boolean {
  const wanted = [...byName.values()].filter((slot) => slot.wanted && slot.wantedRole === 'active');
  return wanted.length === 0 || (wanted.some(isReady) && wanted.every(isSettled));
}

const isGone = ({ wanted, current, next, draining, job }: Slot): boolean =>
  !wanted && current === undefined && next === undefined && draining.length === 0 && !job;

/** Starts the slot's job, if there is one to do: first what should serve already, then what is to come. */
function begin(slot: Slot, id: number, nowMs: number, effects: Effect[]): Slot {
  const of =
    slot.current?.state === 'waiting'
      ? 'current'
      : slot.next?.state === 'waiting'
        ? 'next'
        : slot.stale && isReady(slot)
          ? 'renewal'
          : undefined;
  if (of === undefined || slot.job?.of === of) return slot;
  if (slot.job !== undefined && of !== 'current') return slot;
  let free = slot;
  if (slot.job !== undefined) {
    // What should serve already goes before a download that may take hours.
    effects.push({ kind: 'cancel', slot: slot.name, job: slot.job.id });
    if (slot.job.of === 'next' && slot.next !== undefined) {
      free = { ...slot, next: { ...slot.next, state: 'waiting', sinceMs: nowMs } };
    }
  }
  const place = of === 'renewal' ? free.current! : free[of]!;
  const afresh = of === 'renewal' && slot.stale === 'fetch';
  const digest = place.source.digest ?? (afresh ? undefined : place.identity?.digest);
  effects.push({ kind: 'start', slot: slot.name, job: id, source: place.source, digest });
  return { ...free, job: { id, of } };
}
