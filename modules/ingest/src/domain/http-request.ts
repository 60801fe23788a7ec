import { type Fault, faultOf } from './fault.ts';

export type Format = 'json' | 'ndjson' | 'csv';

const FORMATS: Readonly<Record<string, Format>> = {
  'application/json': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'text/csv': 'csv',
};

/** Format of a body by its content type, or what is wrong with it. */
export function formatOf(contentType: string | undefined): Format | { fault: Fault } {
  const [type = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim());
  const format = FORMATS[type.toLowerCase()];
  if (format === undefined) {
    const allowed = 'must be application/json, application/x-ndjson or text/csv';
    return { fault: faultOf('media-type', 'content-type', contentType ?? '', allowed) };
  }
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter));
  if (charset !== undefined && !/^charset="?(utf-8|utf8|us-ascii)"?$/i.test(charset)) {
    return { fault: faultOf('media-type', 'content-type', charset, 'must be charset=utf-8') };
  }
  return format;
}

/** Longest time that a request may wait for its outcome, in seconds. */
export const WAIT_SECS_MAX = 30;

/** Seconds of `Prefer: wait=N` (RFC 7240, 4.3), at most WAIT_SECS_MAX; undefined when nobody waits. */
export function waitSecsOf(prefer: string | string[] | undefined): number | undefined {
  const text = Array.isArray(prefer) ? prefer.join(',') : prefer;
  const match = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;|,|$)/i.exec(text ?? '');
  return match === null ? undefined : Math.min(WAIT_SECS_MAX, Number(match[1]));
}

const KEY = /^[\x21-\x7e]{1,128}$/;

/** What is wrong with an idempotency key; undefined when it can be used. */
export const keyFault = (key: string): Fault | undefined =>
  KEY.test(key)
    ? undefined
    : faultOf('shape', 'idempotency-key', key, 'must be 1 to 128 visible ASCII characters');
