import type { ModelIdentity } from '@holdfast/contracts';
import type { ModelRole } from './catalog.ts';
import {
  isOver,
  NO_SLOTS,
  type Place,
  type Slot,
  type Slots,
  type Source,
  type Wanted,
} from './slot.ts';

/** A bundle that served: enough to have it serve again at once. */
export interface Good {
  readonly source: Source;
  readonly identity: ModelIdentity;
  readonly adoptedMs: number;
}

/** A bundle that is kept out by a verdict, which a restart does not lift. */
export interface KeptOut {
  readonly source: Source;
  readonly sinceMs: number;
  readonly code: string;
  readonly reason: string;
  readonly identity?: ModelIdentity | undefined;
}

export interface RememberedSlot {
  readonly role: ModelRole;
  readonly wantedRole: ModelRole;
  readonly share: number;
  readonly promoted: boolean;
  readonly good?: Good | undefined;
  readonly previous?: Good | undefined;
  readonly keptOut?: KeptOut | undefined;
}

/** What of the slots must outlive the process, by slot: the last good set, and the verdicts. */
export type Remembered = Readonly<Record<string, RememberedSlot>>;

export function remember({ byName }: Slots): Remembered {
  const entries = [...byName].map(([name, slot]) => [name, rememberSlot(slot)] as const);
  return Object.fromEntries(entries.filter(([, slot]) => slot.good ?? slot.keptOut));
}

function rememberSlot(slot: Slot): RememberedSlot {
  const { role, wantedRole, share, promoted, current, next, previous } = slot;
  // A way back that was begun by hand counts from the beginning.
  const back = next?.reverts;
  const good = goodOf(
    back === undefined ? current : next,
    back === undefined ? undefined : previous,
  );
  const keptOut = keptOutOf(back ?? next);
  return {
    ...{ role, wantedRole, share, promoted },
    ...(good === undefined ? {} : { good }),
    ...(back !== undefined || previous === undefined ? {} : { previous: goodOf(previous) }),
    ...(keptOut === undefined ? {} : { keptOut }),
  };
}

function goodOf(place: Place | undefined, known = place): Good | undefined {
  const { identity, adoptedMs } = { ...place, ...known };
  if (place === undefined || identity === undefined || adoptedMs === undefined) return undefined;
  return { source: place.source, identity, adoptedMs };
}

/** A refusal is looked at again after a restart, which may have brought another release; a verdict is not. */
function keptOutOf(place: Place | undefined): KeptOut | undefined {
  if (place?.state !== 'rolled-back') return undefined;
  const { source, sinceMs, code = '', reason = '', identity } = place;
  return { source, sinceMs, code, reason, ...(identity === undefined ? {} : { identity }) };
}

/** The slots of a process that begins: every last good one waits to be loaded, the twin has not spoken yet. */
export function restore(remembered: Remembered, nowMs: number): Slots {
  const entries = Object.entries(remembered).map(([name, slot]): [string, Slot] => {
    const { role, wantedRole, share, promoted, good, previous, keptOut } = slot;
    return [
      name,
      {
        ...{ name, role, wantedRole, share, promoted, wanted: false, stale: false, draining: [] },
        current: good && { ...good, state: 'waiting', sinceMs: nowMs, tries: 0 },
        previous: previous && {
          ...previous,
          state: 'ready',
          sinceMs: previous.adoptedMs,
          tries: 0,
        },
        next: keptOut && { ...keptOut, state: 'rolled-back', tries: 0 },
      },
    ];
  });
  return { ...NO_SLOTS, byName: new Map(entries) };
}

/** The last good set as if the twin wanted it: for as long as the twin has not said anything. */
export function wantedAgain(remembered: Remembered): Record<string, Wanted> {
  const entries = Object.entries(remembered).flatMap(([name, { good, wantedRole: role, share }]) =>
    good === undefined ? [] : [[name, { source: good.source, role, share }] as const],
  );
  return Object.fromEntries(entries);
}

/** Digests that the store must keep: of what serves, is on its way, or may come back. */
export function digestsInUse({ byName }: Slots): Set<string> {
  const digests = new Set<string>();
  for (const { current, next, previous, draining } of byName.values()) {
    for (const place of [current, next, previous]) {
      const digest = place?.identity?.digest ?? place?.source.digest;
      if (digest !== undefined && !isOver(place)) digests.add(digest);
    }
    for (const { identity } of draining) digests.add(identity.digest);
  }
  return digests;
}
