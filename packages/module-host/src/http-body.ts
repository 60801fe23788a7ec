import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** The peer went away before its body was complete; nobody is left to answer. */
export class BodyAborted extends Error {
  override readonly name = 'BodyAborted';
  readonly code = 'HOST_BODY_ABORTED';
}

/** How long a body may take: a peer that went away in the middle must not hold memory for ever. */
export const BODY_MS = 60_000;

/** How long a peer may go on sending what nobody reads any more. */
const DISCARD_MS = 30_000;

/**
 * Reads a body as it comes, in its chunks; holds at most `bytesMax` bytes. What is left of a body that is `late` or
 * `too-large` is for `discardBody`. `onBytes` sees each chunk's length before the chunk is kept, and returns false to
 * give up: then the result is `refused`.
 * @throws BodyAborted
 */
export function collectBody(
  request: IncomingMessage,
  options: { bytesMax: number; bodyMs?: number; onBytes?(bytes: number): boolean },
): Promise<Buffer[] | 'late' | 'too-large' | 'refused'> {
  const { bytesMax, bodyMs = BODY_MS, onBytes } = options;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const stop = (result: 'late' | 'too-large' | 'refused'): void => {
      request.off('data', onData);
      chunks.length = 0;
      resolve(result);
    };
    const timer = setTimeout(() => stop('late'), bodyMs);
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) stop('too-large');
      else if (onBytes?.(chunk.length) === false) stop('refused');
      else chunks.push(chunk);
    };
    request.on('data', onData);
    request.on('end', () => resolve(chunks));
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

/**
 * Sends an answer whose status and headers are set. When it comes before the body has, the answer goes out at once,
 * complete, but the exchange ends only when the rest of the body has flowed away: a connection closed under a peer
 * that still writes is reset, and the peer never sees the answer.
 */
export function sendBeforeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  body: string | Buffer,
): FastifyReply {
  if (request.raw.complete) return reply.send(body);
  reply.header('content-length', Buffer.byteLength(body));
  return reply.send(Readable.from(lingering(body, discardBody(request.raw))));
}

async function* lingering(
  body: string | Buffer,
  discarded: Promise<void>,
): AsyncGenerator<string | Buffer> {
  yield body;
  await discarded;
}
