import type { KeyObject } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleFolder, MANIFEST } from '../bundle-folder.ts';
import { BundleError } from '../errors.ts';
import { readBundle } from '../read-bundle.ts';
import { SIGNATURE, signStatement } from './envelope.ts';
import { statementOf } from './statement.ts';

/**
 * Signs the bundle in a folder: checks it, then writes `model.sig`, in place of one that is there. A file that the
 * manifest does not name is refused, lest a stray file, a key for example, travels with the model.
 * @throws BundleError
 */
export async function signBundle(path: string, privateKey: KeyObject): Promise<void> {
  const { manifest } = await readBundle(path);
  const folder = await BundleFolder.open(path);
  const files = new Map<string, string>();
  for (const name of await folder.list()) {
    if (name === SIGNATURE) continue;
    if (name !== MANIFEST && !Object.hasOwn(manifest.files, name)) {
      const message = `${name} is not named in ${MANIFEST}: take it away, or pack the bundle again`;
      throw new BundleError('BUNDLE_ALTERED', message, { file: name });
    }
    files.set(name, await folder.digestOf(name));
  }
  const text = signStatement(statementOf(manifest.name, files), privateKey);
  // Beside the folder's files only for a moment, and never half a signature.
  const unfinished = join(path, `.${SIGNATURE}.${process.pid}`);
  await writeFile(unfinished, text);
  await rename(unfinished, join(path, SIGNATURE));
}
