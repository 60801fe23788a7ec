import type { ModelIdentity } from '@holdfast/contracts';
import {
  aPlace,
  emptySlot,
  isOver,
  isReady,
  type Place,
  roleOf,
  type Slot,
  type Source,
  sameContent,
  sameSource,
  type Wanted,
} from './slot.ts';
import type { Effect, SlotEvent } from './slot-events.ts';

/** One event on one slot; `undefined` changes nothing. Jobs are started and slots retired by `settle` afterwards. */
export function onSlot(
  slot: Slot,
  event: Exclude<SlotEvent, { kind: 'want' }>,
  nowMs: number,
  effects: Effect[],
): Slot {
  switch (event.kind) {
    case 'step':
    case 'done':
    case 'failed':
    case 'refused':
      return slot.job?.id === event.job ? onJob(slot, event, nowMs, effects) : slot;
    case 'retry':
      return retried(slot, event.byHand === true, nowMs);
    case 'lost':
      return lost(slot, event, nowMs, effects);
    case 'drained':
      return { ...slot, draining: slot.draining.filter(({ load }) => load !== event.load) };
    case 'promote': {
      const known = isReady(slot) && slot.current?.identity?.digest === event.digest;
      const tried = slot.role === 'canary' || slot.role === 'shadow';
      return known && tried ? { ...slot, promoted: true } : slot;
    }
    case 'roll-back':
      return rolledBack(slot, event, nowMs, effects);
    case 'revert':
      return reverted(slot, event.reason, nowMs, effects);
    case 'unload': {
      if (!isReady(slot) || roleOf(slot) !== 'serve') return slot;
      const drained = drain(slot, nowMs, effects);
      const { load: _, ...place } = slot.current!;
      const unloaded = {
        ...place,
        state: 'unloaded',
        sinceMs: nowMs,
        reason: event.reason,
      } as const;
      return { ...cancelled(drained, effects), current: unloaded };
    }
    case 'renew':
      if (slot.current?.state === 'unloaded') {
        return { ...slot, current: restarted(slot.current, nowMs) };
      }
      return isReady(slot) ? { ...slot, stale: event.fetch === true ? 'fetch' : 'reload' } : slot;
  }
}

type JobEvent = Extract<SlotEvent, { job: number }>;

function onJob(slot: Slot, event: JobEvent, nowMs: number, effects: Effect[]): Slot {
  const of = slot.job!.of;
  if (of === 'renewal') return onRenewal(slot, event, nowMs, effects);
  const place = slot[of]!;
  const free = { ...slot, job: undefined };
  switch (event.kind) {
    case 'step':
      return { ...slot, [of]: stepped(place, event, nowMs) };
    case 'done':
      return of === 'current' ? resumed(free, event, nowMs) : swapped(free, event, nowMs, effects);
    case 'failed': {
      const tries = place.tries + 1;
      effects.push({ kind: 'later', slot: slot.name, tries });
      return { ...free, [of]: { ...stopped(place, event, nowMs), state: 'failed', tries } };
    }
    case 'refused': {
      const refused = { ...stopped(place, event, nowMs), state: 'refused' } as const;
      // The last good one does not pass any more: what the twin wants goes first, if that is another one.
      const next = of === 'next' ? refused : (slot.next ?? refused);
      return { ...free, current: of === 'current' ? undefined : slot.current, next };
    }
  }
}

/** The same place, out of action and with the reason. */
function stopped(
  { load: _, percent: __, ...place }: Place,
  { code, reason }: { code: string; reason: string },
  nowMs: number,
): Place {
  return { ...place, code, reason, sinceMs: nowMs };
}

function stepped(place: Place, event: Extract<SlotEvent, { kind: 'step' }>, nowMs: number): Place {
  // Why the last try failed stays to be seen until there is something newer to say.
  const { percent: _, ...kept } = place;
  const { state, identity = place.identity, percent } = event;
  return {
    ...kept,
    state,
    sinceMs: state === place.state ? place.sinceMs : nowMs,
    ...(identity === undefined ? {} : { identity }),
    ...(percent === undefined ? {} : { percent }),
  };
}

/** The slot's own model is there again: since when it is the slot's does not change by that. */
function resumed(slot: Slot, event: { identity: ModelIdentity; job: number }, nowMs: number): Slot {
  const { source, adoptedMs } = slot.current!;
  return { ...slot, current: ready(source, event, adoptedMs ?? nowMs) };
}

const ready = (
  source: Source,
  { identity, job }: { identity: ModelIdentity; job: number },
  sinceMs: number,
): Place => ({
  source,
  state: 'ready',
  sinceMs,
  adoptedMs: sinceMs,
  tries: 0,
  identity,
  load: job,
});

/** What the twin wants takes its place, and what served until now drains. */
function swapped(
  slot: Slot,
  event: { identity: ModelIdentity; job: number },
  nowMs: number,
  effects: Effect[],
): Slot {
  const { source, reverts } = slot.next!;
  const before = slot.current;
  const drained = drain(slot, nowMs, effects);
  effects.push({ kind: 'swapped', slot: slot.name });
  const same = before?.identity?.digest === event.identity.digest;
  return {
    ...drained,
    current: ready(source, event, same ? (before?.adoptedMs ?? nowMs) : nowMs),
    next: reverts,
    previous: reverts !== undefined ? undefined : same ? slot.previous : goodOf(before, slot),
    // The verdict was about the one before. What took an active one's place counts as active until relieved.
    role: slot.promoted && !same ? 'active' : slot.role,
    promoted: same && slot.promoted,
    stale: false,
  };
}

/** What to go back to by hand: a model that served. */
const goodOf = (before: Place | undefined, { previous }: Slot): Place | undefined =>
  before?.identity === undefined ? previous : before;

function onRenewal(slot: Slot, event: JobEvent, nowMs: number, effects: Effect[]): Slot {
  if (event.kind === 'step') return slot;
  const free: Slot = { ...slot, job: undefined, stale: false };
  const current = slot.current!;
  if (event.kind !== 'done') return { ...free, current: { ...current, reason: event.reason } };
  const same = current.identity?.digest === event.identity.digest;
  const renewed = ready(current.source, event, same ? current.sinceMs : nowMs);
  return { ...drain(free, nowMs, effects), current: renewed };
}

/** Moves the loaded model, if there is one, to those that drain; the caller gives `current` its new value. */
function drain(slot: Slot, nowMs: number, effects: Effect[]): Slot {
  const { load, identity } = slot.current ?? {};
  if (load === undefined || identity === undefined) return slot;
  effects.push({ kind: 'drain', slot: slot.name, load });
  return { ...slot, draining: [...slot.draining, { load, identity, sinceMs: nowMs }] };
}

const restarted = ({ load: _, ...place }: Place, nowMs: number): Place => ({
  ...place,
  state: 'waiting',
  sinceMs: nowMs,
});

function retried(slot: Slot, byHand: boolean, nowMs: number): Slot {
  const again = (place: Place | undefined): Place | undefined => {
    if (place === undefined) return undefined;
    if (byHand && isOver(place)) return aPlace(place.source, nowMs);
    return place.state === 'failed' ? restarted(place, nowMs) : place;
  };
  return { ...slot, current: again(slot.current), next: again(slot.next) };
}

function lost(
  slot: Slot,
  event: { load: number; reason: string },
  nowMs: number,
  effects: Effect[],
): Slot {
  if (slot.current?.load !== event.load) return slot;
  const drained = drain(slot, nowMs, effects);
  const why = { code: 'SCORER_UNAVAILABLE', reason: event.reason };
  effects.push({ kind: 'later', slot: slot.name, tries: 1 });
  const current = { ...stopped(slot.current, why, nowMs), state: 'failed', tries: 1 } as const;
  // A renewal would come to a model that is gone.
  const free = slot.job?.of === 'renewal' ? cancelled(drained, effects) : drained;
  return { ...free, current, stale: false };
}

function cancelled(slot: Slot, effects: Effect[]): Slot {
  if (slot.job === undefined) return slot;
  effects.push({ kind: 'cancel', slot: slot.name, job: slot.job.id });
  return { ...slot, job: undefined };
}

function rolledBack(
  slot: Slot,
  event: { digest: string; code: string; reason: string },
  nowMs: number,
  effects: Effect[],
): Slot {
  const { current } = slot;
  if (slot.role === 'active' || current?.identity?.digest !== event.digest) return slot;
  const drained = drain(slot, nowMs, effects);
  const kept = { ...stopped(current, event, nowMs), state: 'rolled-back' } as const;
  const free = slot.job?.of === 'next' ? drained : cancelled(drained, effects);
  return { ...free, current: undefined, next: slot.next ?? kept, promoted: false, stale: false };
}

function reverted(slot: Slot, reason: string, nowMs: number, effects: Effect[]): Slot {
  const { current, previous } = slot;
  if (current === undefined || previous === undefined) return slot;
  const why = { code: 'BY_HAND', reason };
  const reverts = { ...stopped(current, why, nowMs), state: 'rolled-back' } as const;
  const free = slot.job?.of === 'next' ? cancelled(slot, effects) : slot;
  const { load: _, ...back } = previous;
  return { ...free, next: { ...back, state: 'waiting', sinceMs: nowMs, tries: 0, reverts } };
}

/** What the twin says about one slot now. */
export function wantedIn(
  slot: Slot | undefined,
  name: string,
  wanted: Wanted,
  nowMs: number,
  effects: Effect[],
): Slot {
  const { source, role, share } = wanted;
  const known = slot ?? emptySlot(name, wanted);
  // What was decided here holds as long as the twin says the same; then it counts as what it was until relieved.
  const promoted = known.promoted && role === known.wantedRole;
  const counts = known.promoted && !promoted ? 'active' : known.role;
  const base = { ...known, role: counts, wantedRole: role, share, wanted: true, promoted };
  const { current, next } = base;
  if (next !== undefined && sameSource(next.reverts?.source ?? next.source, source)) return base;
  if (current !== undefined && sameContent(current.source, source)) {
    const free = base.job?.of === 'next' ? cancelled(base, effects) : base;
    return { ...free, current: { ...current, source }, next: undefined };
  }
  const free = base.job?.of === 'next' ? cancelled(base, effects) : base;
  return { ...free, next: aPlace(source, nowMs) };
}

/** The twin does not name the slot any more: nothing new comes, what serves goes on until `settle` retires it. */
export function unwantedIn(slot: Slot, effects: Effect[]): Slot {
  const free = slot.job?.of === 'next' ? cancelled(slot, effects) : slot;
  return { ...free, wanted: false, next: undefined };
}

/** Takes everything out of a slot. */
export function retired(slot: Slot, nowMs: number, effects: Effect[]): Slot {
  const drained = drain(slot, nowMs, effects);
  return {
    ...cancelled(drained, effects),
    current: undefined,
    next: undefined,
    previous: undefined,
    stale: false,
  };
}

/** Nothing will become of this slot by itself. */
export const isSettled = (slot: Slot): boolean =>
  isReady(slot) || (slot.current === undefined && isOver(slot.next));
