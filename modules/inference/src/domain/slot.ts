import type { ModelIdentity } from '@holdfast/contracts';
import type { ModelRole, ModelState } from './catalog.ts';

/** Where a bundle comes from, and which one it must be. */
export interface Source {
  readonly ref: string;
  /** Of the bundle; undefined: whatever is there. */
  readonly digest?: string | undefined;
  /** `ref` is a folder that is used where it is and never copied: the folder of HOLDFAST_MODEL_DIR. */
  readonly inPlace: boolean;
}

/** What the twin wants in a slot. */
export interface Wanted {
  readonly source: Source;
  readonly role: ModelRole;
  readonly share: number;
}

/** One bundle on its way into a slot, in it, or kept out of it. */
export interface Place {
  readonly source: Source;
  readonly state: ModelState;
  /** Wall clock, ms: since when it is in this state; once ready, since when it is the slot's model. */
  readonly sinceMs: number;
  /** Wall clock, ms: since when it is the slot's model, whatever happened to it since; undefined: never was. */
  readonly adoptedMs?: number;
  /** Failed tries in a row. */
  readonly tries: number;
  readonly code?: string;
  readonly reason?: string;
  /** Of the download, in steps of ten. */
  readonly percent?: number;
  readonly identity?: ModelIdentity | undefined;
  /** The job that loaded it; there exactly while it is ready. */
  readonly load?: number;
  /** With a bundle that comes back by hand: the one that it replaces, which is then kept out. */
  readonly reverts?: Place;
}

/** A model that was replaced and finishes what it was given. */
export interface Draining {
  readonly load: number;
  readonly sinceMs: number;
  readonly identity: ModelIdentity;
}

/**
 * One slot. `current` is what serves, or served last and should again at once: the last good. `next` is what the twin
 * wants instead of it: on its way, or kept out with a reason. A slot works on one of the two at a time.
 */
export interface Slot {
  readonly name: string;
  /** As it counts now; `wantedRole` is the twin's, which waits while no other active model is ready. */
  readonly role: ModelRole;
  readonly wantedRole: ModelRole;
  readonly share: number;
  /** The twin names it. One that it names no more goes on until what it wants instead is ready. */
  readonly wanted: boolean;
  readonly promoted: boolean;
  /** The current model is to be loaded again beside itself, from the disk or from its source. */
  readonly stale: false | 'reload' | 'fetch';
  readonly current?: Place | undefined;
  readonly next?: Place | undefined;
  /** What served before `current`. */
  readonly previous?: Place | undefined;
  readonly draining: readonly Draining[];
  readonly job?: Job | undefined;
}

export interface Job {
  readonly id: number;
  readonly of: 'current' | 'next' | 'renewal';
}

export interface Slots {
  readonly byName: ReadonlyMap<string, Slot>;
  readonly lastJob: number;
}

export const NO_SLOTS: Slots = { byName: new Map(), lastJob: 0 };

export const emptySlot = (name: string, { role, share }: Wanted): Slot => ({
  name,
  role,
  wantedRole: role,
  share,
  wanted: true,
  promoted: false,
  stale: false,
  draining: [],
});

export const roleOf = (slot: Slot): ModelRole => (slot.promoted ? 'active' : slot.role);
export const isReady = (slot: Slot): boolean => slot.current?.state === 'ready';

/** Nothing will come of it before the twin changes. */
export const isOver = (place: Place | undefined): boolean =>
  place?.state === 'refused' || place?.state === 'rolled-back';

export const sameSource = (a: Source, b: Source): boolean =>
  a.ref === b.ref && a.digest === b.digest && a.inPlace === b.inPlace;

/** The same bundle, perhaps from another place. */
export const sameContent = (a: Source, b: Source): boolean =>
  sameSource(a, b) || (a.digest !== undefined && a.digest === b.digest && a.inPlace === b.inPlace);

export const aPlace = (source: Source, nowMs: number): Place => ({
  source,
  state: 'waiting',
  sinceMs: nowMs,
  tries: 0,
});
