/** A request that is answered with an error: `status` and `message` are what the client sees. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code = 'API_REFUSED';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** The request itself is wrong. */
export const wrong = (message: string): ApiError => new ApiError(400, message);

/** Not now; whole seconds, at least one, as the header wants them. */
export const later = (status: 429 | 503, message: string, afterMs: number): ApiError =>
  new ApiError(status, message, { 'retry-after': String(Math.max(1, Math.ceil(afterMs / 1000))) });
