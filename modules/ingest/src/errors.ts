export type IngestErrorCode =
  /** The HTTP API has no token, or none is asked for where others can reach it. */
  | 'INGEST_AUTH'
  /** The backlog has reached its limit, or too many requests are held in memory. Try again later. */
  | 'INGEST_BUSY'
  /** The idempotency key was used before, with another body. Never try again. */
  | 'INGEST_KEY_REUSED'
  /** The journal and the sender disagree about what is there. The process ends. */
  | 'INGEST_BROKEN';

/** What goes wrong in ingest itself; match on `code`. */
export class IngestError extends Error {
  override readonly name = 'IngestError';
  readonly code: IngestErrorCode;
  constructor(code: IngestErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The code of any error that has one. */
export const codeOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
