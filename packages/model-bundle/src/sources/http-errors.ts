import { SourceError } from './errors.ts';
import type { HttpAnswer } from './http-client.ts';
import { readSmall } from './read-body.ts';
import { showRef } from './ref.ts';

/** Codes of Node and OpenSSL that mean: the certificate does not prove that this is the host. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|ALTNAME/;
const TEXT_BYTES_MAX = 8_192;

/** What a request that got no answer failed of. */
export function tlsOrNetworkError(url: URL, cause: unknown): SourceError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  const where = showRef(url.origin);
  if (CERTIFICATE.test(code)) {
    const text = `${where}: its certificate is not accepted (${code}); an own authority is named by the setting for it, and the clock must be right`;
    return new SourceError('SOURCE_INSECURE', text, { cause });
  }
  // The text of Node names addresses and ports, never the path or the query.
  return new SourceError('SOURCE_UNREACHABLE', `${where}: ${message || code}`, { cause });
}

/** What an answer that is not the wanted one means. Reads a little of its body, for the code that the host gives. */
export async function errorOf(answer: HttpAnswer): Promise<SourceError> {
  const { status, headers, url } = answer;
  const given = headers['x-ms-error-code'] ?? (await codeIn(answer));
  const text = `${showRef(url)} answers ${status}${given === undefined ? '' : ` ${String(given)}`}`;
  if (status === 401 || status === 403 || given === 'PublicAccessNotPermitted') {
    return new SourceError('SOURCE_DENIED', `${text}: give other credentials for ${url.host}`);
  }
  if (status === 404 || status === 410) return new SourceError('SOURCE_NOT_FOUND', text);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const retryAfterMs = retryAfterOf(headers['retry-after'], headers.date);
    return new SourceError('SOURCE_UNREACHABLE', text, { retryAfterMs });
  }
  return new SourceError('SOURCE_PROTOCOL', text);
}

/** The first code of an OCI error, `{"errors": [{"code": "..."}]}`; nothing else of a body is repeated. */
async function codeIn(answer: HttpAnswer): Promise<string | undefined> {
  try {
    const bytes = await readSmall(answer.body, 'error', {
      bytesMax: TEXT_BYTES_MAX,
      stallMs: 2_000,
      stallBytes: 1,
      signal: AbortSignal.timeout(5_000),
    });
    const document = JSON.parse(bytes.toString('utf8')) as { errors?: { code?: unknown }[] };
    const code = document.errors?.[0]?.code;
    return typeof code === 'string' && /^[A-Z_]{1,40}$/.test(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** Retry-After in ms: seconds, or a date, which is held against the host's own clock. */
export function retryAfterOf(
  value: string | undefined,
  date: string | undefined,
): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const until = Date.parse(value) - Date.parse(date ?? '');
  return Number.isFinite(until) ? Math.max(0, until) : undefined;
}
