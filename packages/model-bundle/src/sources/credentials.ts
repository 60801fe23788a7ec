import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import { SourceError } from './errors.ts';

/** How to show oneself to one host. All of it is secret. */
export const Credential = z.union([
  /** Basic, or what the host's token server is asked with. */
  z.strictObject({ username: z.string().min(1), password: z.string() }),
  /** A bearer token, sent as it is. */
  z.strictObject({ token: z.string().min(1) }),
  /** Query string of a shared access signature (Azure Storage), with or without `?`. */
  z.strictObject({ sas: z.string().min(1) }),
]);
export type Credential = z.infer<typeof Credential>;

/**
 * By `host[:port]`, optionally with the beginning of a path after it (`account.blob.core.windows.net/models`); the
 * longest that fits is taken. So refs carry no secret and may stand in a twin.
 */
export const Credentials = z.record(z.string().min(1), Credential);
export type Credentials = z.infer<typeof Credentials>;

/**
 * Reads credentials from JSON: `{"registry.example:5000": {"username": "...", "password": "..."}}`.
 * @throws SourceError SOURCE_REF, never with a value from the text
 */
export function parseCredentials(text: string): Credentials {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new SourceError('SOURCE_REF', 'the model credentials are not JSON');
  }
  const checked = check(Credentials, document);
  if (checked.ok) return checked.value;
  const problems = checked.problems.map(({ path, allowed }) => ({ path, allowed }));
  throw new SourceError('SOURCE_REF', `model credentials: ${describeProblems(problems)}`);
}

/** The credential for a URL: that of the longest key which is its host and the beginning of its path. */
export function credentialFor(credentials: Credentials, url: URL): Credential | undefined {
  const place = `${url.host}${url.pathname}`;
  const fits = (key: string): boolean =>
    place === key || place.startsWith(key.endsWith('/') ? key : `${key}/`);
  const [best] = Object.keys(credentials)
    .filter(fits)
    .sort((a, b) => b.length - a.length);
  return best === undefined ? undefined : credentials[best];
}
