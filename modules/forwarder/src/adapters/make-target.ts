import type { Environment, Settings } from '../config.ts';
import { AzureBlobTarget, type BlobTarget } from './blob-target.ts';
import { parseStorageAddress } from './storage-address.ts';

/** A missing or wrong address stops the upload only. */
export function makeTarget(
  env: Environment,
  settings: Settings,
): { target: BlobTarget | undefined; problem: string | undefined } {
  const address = env.HOLDFAST_STORAGE_CONNECTION_STRING;
  if (address === undefined) {
    return { target: undefined, problem: 'HOLDFAST_STORAGE_CONNECTION_STRING is not set' };
  }
  try {
    return {
      target: new AzureBlobTarget(parseStorageAddress(address), settings.upload),
      problem: undefined,
    };
  } catch (error) {
    return { target: undefined, problem: (error as Error).message };
  }
}
