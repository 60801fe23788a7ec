import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type FetchedBundle,
  type FetchLimits,
  type FetchOptions,
  fetchBundle,
  isSourceError,
  type SourceError,
} from '@holdfast/model-bundle';
import { expect } from '@jest/globals';
import { type ABundle, aBundle } from '../../../packages/model-bundle/src/testing/a-bundle.ts';

export { type ABundle, aBundle };

/** Pauses of milliseconds; all else as in earnest. */
export const FAST: Partial<FetchLimits> = { pauseMsMin: 1, pauseMsMax: 20 };

/** The files of a bundle as a server has them, below a path that ends in `/`. */
export function served(bundle: ABundle, path: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(bundle.folder).map((name) => [
      `${path}${name}`,
      readFileSync(join(bundle.folder, name)),
    ]),
  );
}

export const fetchFast = (
  ref: string,
  digest: string | undefined,
  options: FetchOptions,
): Promise<FetchedBundle> =>
  fetchBundle(ref, digest, { ...options, limits: { ...FAST, ...options.limits } });

/** The error of a fetch that must fail. */
export async function failureOf(
  ref: string,
  digest: string | undefined,
  options: FetchOptions,
): Promise<SourceError> {
  const error = await fetchFast(ref, digest, options).then(
    () => new Error('it was fetched'),
    (thrown: unknown) => thrown,
  );
  if (isSourceError(error)) return error;
  throw error;
}

export function expectBundle(folder: string, bundle: ABundle): void {
  const names = readdirSync(bundle.folder).sort();
  expect(readdirSync(folder).sort()).toEqual(names);
  for (const name of names) {
    const same = readFileSync(join(folder, name)).equals(readFileSync(join(bundle.folder, name)));
    expect({ name, same }).toEqual({ name, same: true });
  }
}
