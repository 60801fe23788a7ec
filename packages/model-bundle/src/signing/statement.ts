import { createHash } from 'node:crypto';
import { z } from 'zod';

/**
 * What is signed: an in-toto statement in the form of OpenSSF Model Signing v1.0, which lists every file of a folder
 * with its digest. https://github.com/sigstore/model-transparency; https://github.com/in-toto/attestation (Statement v1)
 */
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const PREDICATE_TYPE = 'https://model_signing/signature/v1.0';

/** Files of a bundle by their path in the folder, `/` between parts; SHA-256 as hex. */
export type FileDigests = ReadonlyMap<string, string>;

/** A bundle has a handful of files; the list is read before the key is known to be right only in its length. */
const FILES_MAX = 1_000;
const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hexadecimal digits' });

/** Unknown fields of the predicate are to be ignored by the rules of v1.0; those below must be exactly these. */
export const Statement = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z
    .array(z.object({ name: z.string().max(512), digest: z.object({ sha256: Sha256 }) }))
    .length(1),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    serialization: z.object({
      method: z.literal('files'),
      hash_type: z.literal('sha256'),
      allow_symlinks: z.literal(false),
    }),
    resources: z
      .array(
        z.object({
          name: z.string().min(1).max(512),
          algorithm: z.literal('sha256'),
          digest: Sha256,
        }),
      )
      .min(1)
      .max(FILES_MAX),
  }),
});
export type Statement = z.infer<typeof Statement>;

/** SHA-256 over the digests of all files, in the order of the list. */
export function rootDigestOf(digests: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const digest of digests) hash.update(Buffer.from(digest, 'hex'));
  return hash.digest('hex');
}

/** The statement on these files; the same files give the same text. */
export function statementOf(name: string, files: FileDigests): string {
  const sorted = [...files].sort(([left], [right]) => (left < right ? -1 : 1));
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name, digest: { sha256: rootDigestOf(sorted.map(([, digest]) => digest)) } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      serialization: {
        method: 'files',
        hash_type: 'sha256',
        allow_symlinks: false,
        // What the reference implementation leaves out by itself, said aloud as it does.
        ignore_paths: ['.git', '.gitattributes', '.github', '.gitignore', 'model.sig'],
      },
      resources: sorted.map(([file, digest]) => ({ name: file, algorithm: 'sha256', digest })),
    },
  };
  return JSON.stringify(statement);
}
