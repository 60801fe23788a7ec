import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { BODY_MS, collectBody } from '@holdfast/module-host';
import { type Fault, faultOf } from '../domain/fault.ts';
import { codeOf } from '../errors.ts';

const inflate = promisify(gunzip);

/** Why a body could not be read, and the status that says so. */
export interface BodyFault {
  status: 400 | 408 | 413 | 415;
  fault: Fault;
}

/**
 * Reads a body of at most `bytesMax` bytes, before and after inflating. Never holds more than that: a body that
 * is too large is refused by its announced length, or where it passes the limit; the rest is for `discardBody`.
 */
export async function readBody(
  request: IncomingMessage,
  bytesMax: number,
  bodyMs = BODY_MS,
): Promise<Buffer | BodyFault> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    const allowed = 'must be gzip or identity';
    return { status: 415, fault: faultOf('body-encoding', 'content-encoding', encoding, allowed) };
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax) {
    return tooLarge('content-length', `${announced} bytes`, bytesMax);
  }
  const chunks = await collectBody(request, { bytesMax, bodyMs });
  if (chunks === 'late') {
    const allowed = `must be complete within ${bodyMs / 1000} s`;
    return { status: 408, fault: { code: 'body-late', path: 'body', allowed } };
  }
  if (typeof chunks === 'string') {
    return tooLarge('body', `more than ${bytesMax} bytes`, bytesMax);
  }
  const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (encoding === 'identity') return body;
  try {
    return await inflate(body, { maxOutputLength: bytesMax });
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      return tooLarge('inflated body', `more than ${bytesMax} bytes`, bytesMax);
    }
    const fault: Fault = { code: 'body-encoding', path: 'body', allowed: 'must be valid gzip' };
    return { status: 400, fault };
  }
}

function tooLarge(path: string, value: string, bytesMax: number): BodyFault {
  const allowed = `must be at most ${bytesMax} bytes`;
  return { status: 413, fault: { code: 'body-too-large', path, value, allowed } };
}
