import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { problemBody } from '../domain/answers.ts';
import { FailureLimiter } from '../domain/failure-limiter.ts';
import { type Answer, problem } from './http-answer.ts';

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/**
 * Asks for the bearer token (RFC 6750). A good token always gets through: one broken device must not lock out
 * others behind the same address, and the token is too long to guess. Failures beyond the limit get 429.
 */
export class BearerAuth {
  readonly #expected: Buffer;
  readonly #limiter = new FailureLimiter();
  readonly #monotonicMs: () => number;

  constructor(token: string, monotonicMs: () => number) {
    this.#expected = digest(token);
    this.#monotonicMs = monotonicMs;
  }

  /** The answer to a request that must not go on. */
  refusal(request: FastifyRequest): Answer | undefined {
    const { authorization } = request.headers;
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    // Digests have one length, so the comparison says nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), this.#expected)) return undefined;
    const waitSecs = this.#limiter.failed(request.ip, this.#monotonicMs());
    if (waitSecs !== undefined) {
      const detail = `too many requests without a valid token, wait ${waitSecs} s`;
      const body = problemBody(429, 'too-many-failures', 'Too many failures', detail);
      return { ...problem(body), headers: { 'retry-after': String(waitSecs) } };
    }
    const wrong = authorization !== undefined;
    const found = wrong ? '' : 'is missing, ';
    const detail = `authorization: ${found}must be "Bearer " and the token of this module`;
    const challenge = `Bearer realm="holdfast"${wrong ? ', error="invalid_token"' : ''}`;
    return {
      ...problem(problemBody(401, 'unauthorized', 'A bearer token is needed', detail)),
      headers: { 'www-authenticate': challenge },
    };
  }
}
