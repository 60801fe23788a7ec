import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import { SourceError } from './errors.ts';
import { DIGEST } from './ref.ts';
import { FILE_NAME, MANIFEST, SIGNATURE, type SourceFile } from './source.ts';

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
