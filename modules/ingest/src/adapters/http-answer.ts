import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemBody, problemBody } from '../domain/answers.ts';
import { discardBody } from './http-body.ts';

/** An answer, ready to be sent and, under an idempotency key, to be kept. */
export interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** Seconds after which a source that was told to wait should try again. */
const RETRY_AFTER_SECS = '5';

export const json = (status: number, body: unknown): Answer => ({
  status,
  body: JSON.stringify(body),
});

export const problem = (body: ProblemBody): Answer => json(body.status, body);

/** Too much is waiting; RFC 6585, 4. */
export const busy = (reason: string): Answer => ({
  ...problem(problemBody(429, 'busy', 'Send again later', reason)),
  headers: { 'retry-after': RETRY_AFTER_SECS },
});

export const unavailable = (reason: string): Answer => ({
  ...problem(problemBody(503, 'unavailable', 'Send again later', reason)),
  headers: { 'retry-after': RETRY_AFTER_SECS },
});

/**
 * Sends an answer. When it comes before the body has, the answer goes out at once, complete, but the exchange ends
 * only when the rest of the body has flowed away: a connection closed under a peer that still writes is reset, and
 * the peer never sees the answer.
 */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, body, headers }: Answer,
): FastifyReply {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  reply.code(status).headers({ 'content-type': type, ...headers });
  if (request.raw.complete) return reply.send(body);
  reply.header('content-length', Buffer.byteLength(body));
  return reply.send(Readable.from(lingering(body, discardBody(request.raw))));
}

async function* lingering(body: string, discarded: Promise<void>): AsyncGenerator<string> {
  yield body;
  await discarded;
}
