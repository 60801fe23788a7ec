export type Retry = 'now' | 'later' | 'never';

/** A send or report that did not succeed. Match on `code`, not with `instanceof`. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  readonly retry: Retry;
  constructor(
    code: TransportErrorCode,
    message: string,
    options: { retry: Retry; cause?: unknown },
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retry = options.retry;
  }
}

export type TransportErrorCode =
  /** No connection, or it went before the acknowledgement. Send again. */
  | 'TRANSPORT_NOT_CONNECTED'
  /** No acknowledgement in time; the message may have arrived. Send again. */
  | 'TRANSPORT_TIMEOUT'
  /** Larger than the hub takes. Will never succeed. */
  | 'TRANSPORT_TOO_LARGE'
  /** The hub refused it: credentials, or a document against its rules. */
  | 'TRANSPORT_REFUSED'
  /** `close` was called. */
  | 'TRANSPORT_CLOSED';
