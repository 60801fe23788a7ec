import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { FailureLimiter } from './failure-limiter.ts';

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/** Shortest bearer token: 16 characters of base64 are 96 bits, far beyond guessing at any rate. */
export const TOKEN_LENGTH_MIN = 16;

/** Why a request must not go on; each API puts it into its own form. */
export interface AuthRefusal {
  status: 401 | 429;
  /** As a sentence part. */
  detail: string;
  headers: Record<string, string>;
}

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

  /** Undefined when the token is there and good. */
  refusal(request: FastifyRequest): AuthRefusal | undefined {
    const { authorization } = request.headers;
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    // Digests have one length, so the comparison says nothing about the token's.
    if (given !== undefined && timingSafeEqual(digest(given), this.#expected)) return undefined;
    const waitSecs = this.#limiter.failed(request.ip, this.#monotonicMs());
    if (waitSecs !== undefined) {
      const detail = `too many requests without a valid token, wait ${waitSecs} s`;
      return { status: 429, detail, headers: { 'retry-after': String(waitSecs) } };
    }
    const wrong = authorization !== undefined;
    const found = wrong ? '' : 'is missing, ';
    return {
      status: 401,
      detail: `authorization: ${found}must be "Bearer " and the token of this module`,
      headers: {
        'www-authenticate': `Bearer realm="holdfast"${wrong ? ', error="invalid_token"' : ''}`,
      },
    };
  }
}
