import type { Catalog, CatalogEntry, ModelState } from '../domain/catalog.ts';
import { ApiError, wrong } from './api-error.ts';
import { show } from './show.ts';

/** States as clients of the model repository extension know them. */
const STATES: Record<ModelState, 'READY' | 'LOADING' | 'UNLOADING' | 'UNAVAILABLE'> = {
  waiting: 'LOADING',
  fetching: 'LOADING',
  verifying: 'LOADING',
  loading: 'LOADING',
  checking: 'LOADING',
  ready: 'READY',
  draining: 'UNLOADING',
  failed: 'UNAVAILABLE',
  refused: 'UNAVAILABLE',
  'rolled-back': 'UNAVAILABLE',
  unloaded: 'UNAVAILABLE',
};

/** The models that there are; `{"ready": true}` leaves out those that are not. @throws ApiError 400 */
export function repositoryIndex(catalog: Catalog, body: unknown): unknown[] {
  const { ready = false } = objectOf(body) as { ready?: unknown };
  if (typeof ready !== 'boolean') {
    throw wrong(`ready: ${show(ready)} is not allowed, must be true or false`);
  }
  return catalog
    .entries()
    .filter(({ state }) => !ready || STATES[state] === 'READY')
    .map((entry) => ({
      name: nameOf(entry),
      ...(entry.identity === undefined ? {} : { version: entry.identity.version }),
      state: STATES[entry.state],
      // Always there, also without a reason: clients read it.
      reason: entry.reason ?? (entry.state === 'ready' ? '' : entry.state),
    }));
}

/** Loads or unloads. @throws ApiError 404 for a model that is not known, 400 with why it did not work */
export async function control(
  catalog: Catalog,
  what: 'load' | 'unload',
  name: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const { parameters = {} } = objectOf(body) as { parameters?: unknown };
  const other = Object.keys(objectOf(parameters)).find((key) => key !== 'unload_dependents');
  if (other !== undefined) {
    throw wrong(`parameters.${other}: is not supported, models are configured by the module twin`);
  }
  if (!catalog.entries().some((entry) => nameOf(entry) === name || entry.slot === name)) {
    throw new ApiError(404, `model "${name}" is not known`);
  }
  try {
    await catalog[what](name);
  } catch (error) {
    throw wrong(`model "${name}" could not be ${what}ed: ${(error as Error).message}`);
  }
  return { name, [what]: true };
}

const nameOf = ({ identity, slot }: CatalogEntry): string => identity?.name ?? slot;

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw wrong(`body: ${show(value)} is not allowed, must be an object`);
}
