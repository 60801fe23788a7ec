import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type Fault, faultOf } from '../domain/fault.ts';
import { codeOf } from '../errors.ts';

const inflate = promisify(gunzip);

/** Why a body could not be read, and the status that says so. */
export interface BodyFault {
  status: 400 | 408 | 413 | 415;
  fault: Fault;
}

/** The peer went away before its body was complete; nobody is left to answer. */
export class BodyAborted extends Error {
  readonly code = 'INGEST_BODY_ABORTED';
}

/** How long a body may take: a peer that went away in the middle must not hold memory for ever. */
const BODY_MS = 60_000;

/** How long a peer may go on sending what nobody reads any more. */
const DISCARD_MS = 30_000;

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
  const body = await collect(request, bytesMax, bodyMs);
  if (body === 'late') {
    const allowed = `must be complete within ${bodyMs / 1000} s`;
    return { status: 408, fault: { code: 'body-late', path: 'body', allowed } };
  }
  if (body === undefined) {
    return tooLarge('body', `more than ${bytesMax} bytes`, bytesMax);
  }
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

/** Undefined when the body has more than `bytesMax` bytes. */
function collect(
  request: IncomingMessage,
  bytesMax: number,
  bodyMs: number,
): Promise<Buffer | undefined | 'late'> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (result: undefined | 'late'): void => {
      request.off('data', onData);
      chunks.length = 0;
      resolve(result);
    };
    const timer = setTimeout(() => stop('late'), bodyMs);
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= bytesMax) chunks.push(chunk);
      else stop(undefined);
    };
    request.on('data', onData);
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', (error) => reject(new BodyAborted(error.message)));
    request.on('close', () => {
      clearTimeout(timer);
      if (!request.complete) reject(new BodyAborted('the connection closed'));
    });
  });
}

/** Throws away what is left of a body; resolves when that is over, or when it takes too long. */
export function discardBody(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    if (request.complete || request.destroyed) {
      resolve();
      return;
    }
    const timer = setTimeout(() => request.destroy(), DISCARD_MS);
    const finish = (): void => {
      clearTimeout(timer);
      resolve();
    };
    request.once('end', finish);
    request.once('close', finish);
    request.resume();
  });
}

function tooLarge(path: string, value: string, bytesMax: number): BodyFault {
  const allowed = `must be at most ${bytesMax} bytes`;
  return { status: 413, fault: { code: 'body-too-large', path, value, allowed } };
}
