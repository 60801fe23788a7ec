import type { ModelIdentity } from '@holdfast/contracts';
import { showRef } from '@holdfast/model-bundle';
import type { CatalogEntry } from '../domain/catalog.ts';
import { type Place, roleOf, type Slot, type Slots } from '../domain/slot.ts';
import type { SetModel } from './set-model.ts';

/** Longest reason in the reported properties, in characters: sixteen slots share 32 KiB. */
const REPORTED_REASON_MAX = 200;
const REASON_MAX = 1_000;

/** Every version of every model that there is: what serves, what is to come or kept out, what drains. */
export function entriesOf(
  { byName }: Slots,
  models: ReadonlyMap<number, SetModel>,
): CatalogEntry[] {
  return [...byName.values()].flatMap((slot) => {
    const base = { slot: slot.name, role: roleOf(slot) };
    const entry = ({ state, sinceMs, reason, identity, load }: Omit<Place, 'source' | 'tries'>) => {
      const model = load === undefined ? undefined : models.get(load);
      return {
        ...{ ...base, state, sinceMs },
        ...(reason === undefined ? {} : { reason: reason.slice(0, REASON_MAX) }),
        ...(identity === undefined ? {} : { identity }),
        ...(model === undefined ? {} : { manifest: model.manifest }),
        ...(model?.runner === undefined ? {} : { runner: model.runner }),
      };
    };
    const places = [slot.current, slot.next].filter((place) => place !== undefined);
    const draining = slot.draining.map((one) => ({ ...one, state: 'draining' as const }));
    return [...places, ...draining].map(entry);
  });
}

/**
 * For `status`, by slot: which model serves since when, and of what the twin wants instead how far it is, or why it
 * does not serve.
 */
export function statusOf({ byName }: Slots, models: ReadonlyMap<number, SetModel>): object {
  const entries = [...byName.values()].map((slot) => {
    const { current, next, previous, draining } = slot;
    const signedBy = current?.load === undefined ? undefined : models.get(current.load)?.signedBy;
    return [
      slot.name,
      {
        role: roleOf(slot),
        ...(roleOf(slot) === slot.wantedRole ? {} : { roleInTwin: slot.wantedRole }),
        ...(slot.wanted ? {} : { leaving: 'until what the twin wants instead is ready' }),
        ...(slot.share > 0 ? { share: slot.share } : {}),
        serves: current?.state === 'ready' ? identified(current) : null,
        ...(signedBy === undefined ? {} : { signedBy }),
        ...(current === undefined || current.state === 'ready' ? {} : { own: shown(current) }),
        ...(current?.state === 'ready' && current.reason !== undefined
          ? { notLoadedAnew: current.reason }
          : {}),
        next: next === undefined ? null : shown(next),
        previous: previous?.identity ?? null,
        ...(draining.length > 0 ? { draining: draining.map(({ identity }) => identity) } : {}),
      },
    ];
  });
  return Object.fromEntries(entries);
}

const identified = ({ identity, sinceMs, source }: Place) => ({
  ...identity,
  since: time(sinceMs),
  ref: showRef(source.ref),
});

const shown = (place: Place) => ({
  ref: showRef(place.source.ref),
  ...(place.identity ?? { digest: place.source.digest ?? 'not known yet' }),
  state: place.state,
  since: time(place.sinceMs),
  ...(place.percent === undefined ? {} : { percent: place.percent }),
  ...(place.tries > 0 ? { tries: place.tries } : {}),
  ...(place.code === undefined ? {} : { code: place.code }),
  ...(place.reason === undefined ? {} : { reason: place.reason.slice(0, REASON_MAX) }),
});

const time = (ms: number): string => new Date(ms).toISOString();

/**
 * For the reported properties: the same, shorter, and with null for whatever is not there, because a patch that leaves
 * a key out changes nothing. `gone` are slots that were reported once.
 */
export function reportedOf({ byName }: Slots, gone: readonly string[]): Record<string, unknown> {
  const slots = [...byName.values()].map((slot) => [slot.name, reportedSlot(slot)]);
  return { ...Object.fromEntries(gone.map((name) => [name, null])), ...Object.fromEntries(slots) };
}

function reportedSlot(slot: Slot): object {
  const { current, next, previous } = slot;
  const place = current ?? next;
  return {
    role: roleOf(slot),
    state: place?.state ?? 'draining',
    since: place === undefined ? null : time(place.sinceMs),
    model: versionOf(current?.identity),
    reason: current?.reason?.slice(0, REPORTED_REASON_MAX) ?? null,
    next:
      next === undefined
        ? null
        : {
            state: next.state,
            since: time(next.sinceMs),
            name: next.identity?.name ?? null,
            version: next.identity?.version ?? null,
            digest: next.identity?.digest ?? next.source.digest ?? null,
            percent: next.percent ?? null,
            code: next.code ?? null,
            reason: next.reason?.slice(0, REPORTED_REASON_MAX) ?? null,
          },
    previous:
      previous?.identity === undefined
        ? null
        : { version: previous.identity.version, digest: previous.identity.digest },
  };
}

const versionOf = (identity: ModelIdentity | undefined) =>
  identity === undefined
    ? null
    : { name: identity.name, version: identity.version, digest: identity.digest };
