import type { Problem } from '@holdfast/contracts';
import type { BundleFolder } from '../bundle-folder.ts';
import { BundleError } from '../errors.ts';
import { openEnvelope, SIGNATURE } from './envelope.ts';
import type { TrustedKey } from './keys.ts';
import type { FileDigests } from './statement.ts';

/** Which bundles are accepted. */
export interface TrustPolicy {
  /** Public keys that are trusted now, the old and the new one while keys are rotated. */
  readonly keys: readonly TrustedKey[];
  /**
   * `required`: no bundle without a signature by one of the keys. `optional`: a bundle without one is accepted, which is
   * no protection, only a way to introduce signing; one that is there must hold all the same, if there are keys.
   */
  readonly signature: 'required' | 'optional';
}

/** Of a place where no keys are set: digests are checked, signatures are not. */
export const NO_KEYS: TrustPolicy = { keys: [], signature: 'optional' };

/** Required as soon as there are keys, unless somebody says otherwise. */
export const trustIn = (
  keys: readonly TrustedKey[],
  signature: TrustPolicy['signature'] = keys.length > 0 ? 'required' : 'optional',
): TrustPolicy => ({ keys, signature });

/** The list of 1,000 files takes a quarter of this. */
const SIGNATURE_BYTES_MAX = 1024 * 1024;

/**
 * Checks the signature of a folder: made by a trusted key, over every file that is there, as it is there. Whatever was
 * signed is also present, and what is present was signed, `model.sig` itself aside.
 * @returns id of the key; undefined without a signature, or without keys to check it with
 * @throws BundleError BUNDLE_UNSIGNED, BUNDLE_SIGNATURE, BUNDLE_KEY, BUNDLE_ALTERED
 */
export async function verifySignature(
  folder: BundleFolder,
  policy: TrustPolicy,
): Promise<string | undefined> {
  if (policy.keys.length === 0) {
    if (policy.signature === 'optional') return undefined;
    const message = 'a signature is required, but no key is set that could have made it';
    throw new BundleError('BUNDLE_KEY', message, { file: SIGNATURE });
  }
  const present = await folder.list();
  if (!present.includes(SIGNATURE)) {
    if (policy.signature === 'optional') return undefined;
    const message = `${SIGNATURE} is missing in ${folder.path}, and a signature is required`;
    throw new BundleError('BUNDLE_UNSIGNED', message, { file: SIGNATURE });
  }
  const bytes = await folder.readSmall(SIGNATURE, SIGNATURE_BYTES_MAX);
  const { files, signedBy } = openEnvelope(bytes, policy.keys);
  const problems = await differences(folder, present, files);
  if (problems.length > 0) throw BundleError.of('BUNDLE_ALTERED', SIGNATURE, problems);
  return signedBy;
}

async function differences(
  folder: BundleFolder,
  present: readonly string[],
  signed: FileDigests,
): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const name of present) {
    if (name === SIGNATURE) continue;
    const path = `files[${JSON.stringify(name)}]`;
    const expected = signed.get(name);
    if (expected === undefined) {
      problems.push({ path, allowed: 'is in the folder, but was not signed' });
      continue;
    }
    const digest = await folder.digestOf(name);
    if (digest === expected) continue;
    const allowed = `must be sha256:${expected}, as it was signed`;
    problems.push({ path, value: `sha256:${digest}`, allowed });
  }
  for (const name of signed.keys()) {
    if (present.includes(name) && name !== SIGNATURE) continue;
    const allowed = 'was signed, but is not in the folder';
    problems.push({ path: `files[${JSON.stringify(name)}]`, allowed });
  }
  return problems;
}
