import type { Catalog, CatalogEntry } from '../domain/catalog.ts';
import type { ModelRunner } from '../domain/model-runner.ts';
import { ApiError, later } from './api-error.ts';
import type { ModelName } from './statistics.ts';

/** A model that answers now. */
export interface ReadyModel extends ModelName {
  entry: CatalogEntry;
  runner: ModelRunner;
}

/** States from which a model gets ready by itself, so that coming again soon makes sense. */
const ON_THE_WAY = new Set(['waiting', 'fetching', 'verifying', 'loading', 'checking']);
const SOON_MS = 2_000;
const LATER_MS = 30_000;
const NAMES_SHOWN_MAX = 20;

/** @throws ApiError 404 for a model or a version that is not known, 503 for one that is not ready */
export function readyModel(catalog: Catalog, name: string, version?: string): ReadyModel {
  const entry = knownModel(catalog, name, version);
  const { runner, identity } = entry;
  if (runner === undefined || identity === undefined) throw notReady(entry, name);
  return { entry, runner, name: identity.name, version: identity.version };
}

/** @throws ApiError 404 */
export function knownModel(catalog: Catalog, name: string, version?: string): CatalogEntry {
  const entry = catalog.find(name, version);
  if (entry !== undefined) return entry;
  const versions = versionsOf(catalog, name);
  if (versions.length > 0) {
    throw new ApiError(
      404,
      `model "${name}" has no version "${version}", it has ${list(versions)}`,
    );
  }
  const names = [...new Set(catalog.entries().flatMap(({ identity }) => identity?.name ?? []))];
  throw new ApiError(404, `model "${name}" is not known, there is ${list(names)}`);
}

/** Versions of a model, in the order of the catalogue. */
export const versionsOf = (catalog: Catalog, name: string): string[] => [
  ...new Set(
    catalog.entries().flatMap(({ identity }) => (identity?.name === name ? identity.version : [])),
  ),
];

export function notReady({ state, reason }: CatalogEntry, name: string): ApiError {
  const why = reason === undefined ? '' : `: ${reason}`;
  const afterMs = ON_THE_WAY.has(state) ? SOON_MS : LATER_MS;
  return later(503, `model "${name}" is not ready, it is ${state}${why}`, afterMs);
}

const list = (names: readonly string[]): string =>
  names
    .slice(0, NAMES_SHOWN_MAX)
    .map((name) => `"${name}"`)
    .join(', ') || 'none';
