import { Readable } from 'node:stream';
import { SourceError } from './errors.ts';
import type { HttpAnswer } from './http-client.ts';
import { errorOf } from './http-errors.ts';
import { showRef } from './ref.ts';
import type { OpenedFile } from './source.ts';

/** Sends a GET with these headers more. */
export type Get = (headers: Record<string, string>) => Promise<HttpAnswer>;

/**
 * Opens a file by HTTP from a byte on (RFC 9110, sections 13.1.5 and 14). The part is only taken when it is of the
 * state that the validator names; otherwise, or when the host knows no ranges, all of the file comes.
 */
export async function openRange(
  get: Get,
  from: { bytes: number; validator: string | undefined },
): Promise<OpenedFile> {
  if (from.bytes === 0) return whole(await get({}));
  const condition = from.validator === undefined ? {} : { 'if-range': from.validator };
  const answer = await get({ range: `bytes=${from.bytes}-`, ...condition });
  if (answer.status === 200) return whole(answer);
  const sizeBytes = sizeIn(answer);
  const validator = validatorOf(answer);
  // A host that knows ranges but not If-Range would give the end of another file.
  const same =
    from.validator === undefined || validator === undefined || validator === from.validator;
  if (answer.status === 206 && same) {
    const startBytes = /^bytes (\d{1,15})-/.exec(answer.headers['content-range'] ?? '')?.[1];
    if (startBytes === undefined) {
      answer.body.destroy();
      throw protocol(answer, 'a part without Content-Range');
    }
    const body = checked(answer);
    return {
      body,
      startBytes: Number(startBytes),
      sizeBytes,
      validator: validator ?? from.validator,
    };
  }
  if (answer.status !== 206 && answer.status !== 416) throw await errorOf(answer);
  answer.body.destroy();
  // Nothing is missing: the call before was ended between the last byte and the check.
  if (answer.status === 416 && same && sizeBytes === from.bytes) {
    return {
      body: Readable.from([]),
      startBytes: from.bytes,
      sizeBytes,
      validator: from.validator,
    };
  }
  return whole(await get({}));
}

async function whole(answer: HttpAnswer): Promise<OpenedFile> {
  if (answer.status !== 200) throw await errorOf(answer);
  const length = answer.headers['content-length'];
  const sizeBytes = length === undefined ? undefined : Number(length);
  return { body: checked(answer), startBytes: 0, sizeBytes, validator: validatorOf(answer) };
}

/** Size of the whole file in Content-Range; undefined when the host leaves it open. */
function sizeIn({ headers }: HttpAnswer): number | undefined {
  const size = /\/(\d{1,15})$/.exec(headers['content-range'] ?? '')?.[1];
  return size === undefined ? undefined : Number(size);
}

/** What If-Range takes: a strong entity tag, else the time of the last change. */
function validatorOf({ headers }: HttpAnswer): string | undefined {
  const { etag } = headers;
  if (etag !== undefined && /^"[^"\r\n]{1,512}"$/.test(etag)) return etag;
  return etag === undefined ? headers['last-modified'] : undefined;
}

function checked(answer: HttpAnswer): HttpAnswer['body'] {
  const encoding = answer.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return answer.body;
  answer.body.destroy();
  throw protocol(answer, `Content-Encoding ${encoding}, which was not asked for`);
}

const protocol = (answer: HttpAnswer, what: string): SourceError =>
  new SourceError('SOURCE_PROTOCOL', `${showRef(answer.url)} answers with ${what}`);
