import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { check, describeProblems, type Problem, showValue } from '@holdfast/contracts';
import { z } from 'zod';
import { BundleError } from '../errors.ts';
import { type TrustedKey, trustedKeyOf } from './keys.ts';
import { type FileDigests, PAYLOAD_TYPE, rootDigestOf, Statement } from './statement.ts';

/** File of the signature in a bundle's folder, by the custom of OpenSSF Model Signing. */
export const SIGNATURE = 'model.sig';

/** Media type of a Sigstore bundle v0.3, https://docs.sigstore.dev/about/bundle. */
const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const Base64 = z
  .string()
  .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, {
    error: 'must be base64',
  });

/** A Sigstore bundle of the key method: no certificate, no transparency log. */
const Envelope = z.object({
  mediaType: z.literal(MEDIA_TYPE),
  verificationMaterial: z.object({
    publicKey: z.object({
      /** SHA-256 of the public key as PEM; empty or absent in signatures of before 1.0. */
      hint: z
        .string()
        .regex(/^(?:[0-9a-f]{64})?$/, { error: 'must be 64 hexadecimal digits' })
        .nullish(),
    }),
  }),
  dsseEnvelope: z.object({
    payload: Base64,
    payloadType: z.literal(PAYLOAD_TYPE),
    /** One: who else signed would go unchecked. */
    signatures: z.array(z.object({ sig: Base64 })).length(1),
  }),
});

/** What DSSE signs: type and payload with their lengths, so that neither can pass for the other. */
function preAuthEncoding(payload: Buffer): Buffer {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Text of `model.sig` for a statement. */
export function signStatement(statement: string, privateKey: KeyObject): string {
  const payload = Buffer.from(statement);
  const { id } = trustedKeyOf(createPublicKey(privateKey));
  const envelope = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: {
      publicKey: { hint: id.slice('sha256:'.length) },
      tlogEntries: [],
    },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: PAYLOAD_TYPE,
      signatures: [
        { sig: sign('sha256', preAuthEncoding(payload), privateKey).toString('base64'), keyid: '' },
      ],
    },
  };
  return `${JSON.stringify(envelope)}\n`;
}

/**
 * Checks that a trusted key signed the statement, and that the statement is one on files. Nothing of the payload is
 * looked at before the signature holds.
 * @throws BundleError BUNDLE_SIGNATURE, BUNDLE_KEY
 */
export function openEnvelope(
  bytes: Buffer,
  keys: readonly TrustedKey[],
): { files: FileDigests; signedBy: string } {
  const envelope = parse(bytes, Envelope, 'the envelope');
  const { payload, signatures } = envelope.dsseEnvelope;
  const content = Buffer.from(payload, 'base64');
  const signature = Buffer.from(signatures[0]?.sig ?? '', 'base64');
  const candidates = candidatesFor(envelope.verificationMaterial.publicKey.hint, keys);
  const signer = candidates.find(({ key }) =>
    verify('sha256', preAuthEncoding(content), key, signature),
  );
  if (signer === undefined) {
    const ids = candidates.map(({ id }) => id).join(' or ');
    const message = `${SIGNATURE}: the signature does not hold for key ${ids}: it, or what it signs, was altered`;
    throw new BundleError('BUNDLE_SIGNATURE', message, { file: SIGNATURE });
  }
  return { files: filesOf(parse(content, Statement, 'the signed statement')), signedBy: signer.id };
}

/** Name of the key that a signature says it was made with; unchecked. */
export function claimedKeyOf(bytes: Buffer): string | undefined {
  const hint = parse(bytes, Envelope, 'the envelope').verificationMaterial.publicKey.hint;
  return hint ? `sha256:${hint}` : undefined;
}

function candidatesFor(
  hint: string | null | undefined,
  keys: readonly TrustedKey[],
): readonly TrustedKey[] {
  if (!hint) return keys;
  const named = keys.filter(({ id }) => id === `sha256:${hint}`);
  if (named.length > 0) return named;
  const allowed = `must be ${keys.map(({ id }) => id).join(' or ')}`;
  throw BundleError.of('BUNDLE_KEY', SIGNATURE, [
    { path: 'key', value: `sha256:${hint}`, allowed },
  ]);
}

function parse<S extends z.ZodType>(bytes: Buffer, schema: S, what: string): z.output<S> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    const message = `${SIGNATURE}: ${what} is not JSON`;
    throw new BundleError('BUNDLE_SIGNATURE', message, { file: SIGNATURE, cause });
  }
  const checked = check(schema, document);
  if (checked.ok) return checked.value;
  const { problems } = checked;
  const message = `${SIGNATURE}: ${what}: ${describeProblems(problems)}`;
  throw new BundleError('BUNDLE_SIGNATURE', message, { file: SIGNATURE, problems });
}

function filesOf(statement: Statement): FileDigests {
  const { resources } = statement.predicate;
  const problems: Problem[] = [];
  const files = new Map<string, string>();
  for (const [index, { name, digest }] of resources.entries()) {
    if (files.has(name)) {
      const path = `predicate.resources[${index}].name`;
      problems.push({ path, value: showValue(name), allowed: 'must be unique' });
    }
    files.set(name, digest);
  }
  const root = rootDigestOf(resources.map(({ digest }) => digest));
  const claimed = statement.subject[0]?.digest.sha256;
  if (claimed !== root) {
    const allowed = `must be ${root}, the digest of the files listed`;
    problems.push({ path: 'subject[0].digest.sha256', value: showValue(claimed), allowed });
  }
  if (problems.length > 0) throw BundleError.of('BUNDLE_SIGNATURE', SIGNATURE, problems);
  return files;
}
