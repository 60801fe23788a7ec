import { readFile, stat } from 'node:fs/promises';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import { SourceError } from './errors.ts';
import { DIGEST } from './ref.ts';
import { FILE_NAME, MANIFEST, SIGNATURE, SMALL_BYTES_MAX, type SourceFile } from './source.ts';

/** What carrying a bundle needs of its manifest. All else is for `readBundle`, so that newer fields pass. */
const Carried = z.looseObject({
  name: z.string(),
  version: z.string(),
  files: z.record(
    z.string().regex(FILE_NAME, { error: 'must name a file of the bundle' }),
    z.string().regex(DIGEST, { error: 'must be sha256: and 64 hexadecimal digits' }),
  ),
});

/** Name and version of a bundle, from the bytes of its `model.json`. @throws SourceError SOURCE_PROTOCOL */
export function titleOf(manifest: Buffer): { name: string; version: string } {
  const { name, version } = read(manifest);
  return { name, version };
}

/** The files that a `model.json` names. @throws SourceError SOURCE_PROTOCOL when it is not a manifest */
export const filesOf = (manifest: Buffer): SourceFile[] =>
  Object.entries(read(manifest).files)
    .filter(([name]) => name !== MANIFEST && name !== SIGNATURE)
    .map(([name, digest]) => ({ name, digest }));

function read(manifest: Buffer): z.infer<typeof Carried> {
  let document: unknown;
  try {
    document = JSON.parse(manifest.toString('utf8'));
  } catch (cause) {
    const text = `${MANIFEST} is not JSON: ${(cause as Error).message}`;
    throw new SourceError('SOURCE_PROTOCOL', text, { cause });
  }
  const checked = check(Carried, document);
  if (checked.ok) return checked.value;
  throw new SourceError('SOURCE_PROTOCOL', `${MANIFEST}: ${describeProblems(checked.problems)}`);
}

/** Bytes of a small file; undefined when there is none. @throws SourceError when it cannot be read, as when a stick is pulled out */
export async function readManifest(path: string): Promise<Buffer | undefined> {
  try {
    const { size } = await stat(path);
    if (size <= SMALL_BYTES_MAX) return await readFile(path);
    throw new SourceError('SOURCE_TOO_LARGE', `${path} has ${size} bytes`);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw lost(path, cause);
  }
}

/** A stick that is pulled out looks like files that are not there, or like errors of the device. */
export function lost(path: string, cause: unknown): SourceError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT') {
    return new SourceError('SOURCE_NOT_FOUND', `${path} is not there`, { cause });
  }
  return new SourceError('SOURCE_UNREACHABLE', `${path}: ${message}`, { cause });
}
