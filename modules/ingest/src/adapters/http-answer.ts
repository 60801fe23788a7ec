import { type AuthRefusal, sendBeforeBody } from '@holdfast/module-host';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ProblemBody, problemBody } from '../domain/answers.ts';

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

/** The answer to a request without the token. */
export const unauthorized = ({ status, detail, headers }: AuthRefusal): Answer => ({
  ...problem(
    status === 429
      ? problemBody(status, 'too-many-failures', 'Too many failures', detail)
      : problemBody(status, 'unauthorized', 'A bearer token is needed', detail),
  ),
  headers,
});

/** Sends an answer, also before the body has come. */
export function sendAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, body, headers }: Answer,
): FastifyReply {
  const type = status >= 400 ? 'application/problem+json' : 'application/json';
  reply.code(status).headers({ 'content-type': type, ...headers });
  return sendBeforeBody(request, reply, body);
}
