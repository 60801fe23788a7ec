/** Why a bundle could not be fetched or pushed. Match on `code`. */
export type SourceErrorCode =
  /** The ref or a setting beside it is not understood; the text says what is allowed. */
  | 'SOURCE_REF'
  /** Plain HTTP to another machine, a certificate that does not prove the host, or a redirect to either. */
  | 'SOURCE_INSECURE'
  /** The host wants other credentials, or does not let these read or write here. */
  | 'SOURCE_DENIED'
  /** There is no such bundle, tag or file at the source. */
  | 'SOURCE_NOT_FOUND'
  /** No connection, an answer 5xx, silence, or a stream that broke off more often than is sensible. */
  | 'SOURCE_UNREACHABLE'
  /** The host answers in a way that is against the protocol, for example with endless redirects. */
  | 'SOURCE_PROTOCOL'
  /** The bytes are not those that the digest names. */
  | 'SOURCE_DIGEST'
  /** More bytes or files than `limits` allow. */
  | 'SOURCE_TOO_LARGE'
  /** Too little room on the volume; nothing was downloaded. */
  | 'SOURCE_NO_ROOM'
  /** The local disk does not take the bytes. */
  | 'SOURCE_DISK'
  /** The deadline is over; what was downloaded stays for the next try. */
  | 'SOURCE_DEADLINE'
  /** The caller's signal; what was downloaded stays for the next try. */
  | 'SOURCE_ABORTED';

/** `now`: by itself within one fetch; `later`: by the caller, in minutes; `never`: something must be changed first. */
export type Retry = 'now' | 'later' | 'never';

/** A bundle that could not be fetched or pushed. The text never holds a secret, nor the query string of a URL. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly code: SourceErrorCode;
  readonly retry: Retry;
  /** What the host asked for by Retry-After, in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: SourceErrorCode,
    message: string,
    options: { retry?: Retry; retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(`${code}: ${message}`, { cause: options.cause });
    this.code = code;
    this.retry = options.retry ?? RETRY[code];
    this.retryAfterMs = options.retryAfterMs;
  }
}

const RETRY: Record<SourceErrorCode, Retry> = {
  SOURCE_REF: 'never',
  // A clock that is not set yet makes every certificate invalid; it mends itself.
  SOURCE_INSECURE: 'later',
  SOURCE_DENIED: 'later',
  SOURCE_NOT_FOUND: 'later',
  SOURCE_UNREACHABLE: 'now',
  SOURCE_PROTOCOL: 'later',
  // Another bundle may be on its way to the same place.
  SOURCE_DIGEST: 'later',
  SOURCE_TOO_LARGE: 'never',
  SOURCE_NO_ROOM: 'later',
  SOURCE_DISK: 'later',
  SOURCE_DEADLINE: 'later',
  SOURCE_ABORTED: 'later',
};

export const isSourceError = (error: unknown): error is SourceError =>
  error instanceof Error && error.name === 'SourceError';
