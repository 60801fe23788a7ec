export type EdgeErrorCode =
  /** Another process works on the same state folder. */
  | 'EDGE_STATE_IN_USE'
  /** No folder with code belongs to an image. */
  | 'EDGE_MODULE_UNKNOWN'
  /** The hub, the stand-in or a module did not answer. */
  | 'EDGE_NO_ANSWER'
  /** The hub or the stand-in refused a request. */
  | 'EDGE_REFUSED'
  /** The path of the state folder is too long for a Unix socket. */
  | 'EDGE_PATH_TOO_LONG';

export class EdgeError extends Error {
  readonly code: EdgeErrorCode;
  /** Status of the HTTP-like answer, where there was one. */
  readonly status: number | undefined;

  constructor(
    code: EdgeErrorCode,
    message: string,
    options: { status?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'EdgeError';
    this.code = code;
    this.status = options.status;
  }
}
