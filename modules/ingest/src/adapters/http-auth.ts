import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemBody } from '../domain/answers.ts';
import { FailureLimiter } from '../domain/failure-limiter.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

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

  /** Answers and returns true when the request must not go on. */
  refuses(request: FastifyRequest, reply: FastifyReply): boolean {
    const { authorization } = request.headers;
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    // Digests have one length, so the comparison says nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), this.#expected)) return false;
    const waitSecs = this.#limiter.failed(request.ip, this.#monotonicMs());
    reply.header('content-type', 'application/problem+json');
    if (waitSecs !== undefined) {
      const detail = `too many requests without a valid token, wait ${waitSecs} s`;
      reply.code(429).header('retry-after', waitSecs);
      reply.send(problemBody(429, 'too-many-failures', 'Too many failures', detail));
      return true;
    }
    const wrong = authorization !== undefined;
    const detail = wrong
      ? 'authorization: must be "Bearer " and the token of this module'
      : 'authorization: is missing, must be "Bearer " and the token of this module';
    reply.code(401);
    reply.header(
      'www-authenticate',
      `Bearer realm="holdfast"${wrong ? ', error="invalid_token"' : ''}`,
    );
    reply.send(problemBody(401, 'unauthorized', 'A bearer token is needed', detail));
    return true;
  }
}
