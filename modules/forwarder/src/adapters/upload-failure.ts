import type { RestError } from '@azure/storage-blob';

/**
 * Why an upload failed.
 * - `transport`: no answer, or the store says it is broken itself. Try later.
 * - `throttled`: the store asks for a pause.
 * - `auth`: the store knows us not. Somebody must give another key or set a clock; until then, try now and then.
 * - `target`: account, container or API version are wrong: true of every blob, so no blob is to blame.
 * - `blob`: this blob, and perhaps one record in it, is refused for good.
 */
export type FailureClass = 'transport' | 'throttled' | 'auth' | 'target' | 'blob';

export class UploadFailure extends Error {
  readonly code = 'FWD_UPLOAD_FAILED';
  readonly failure: FailureClass;
  /** As the store asked, in ms. */
  readonly retryAfterMs: number | undefined;
  /** Status code of the answer; undefined without one. */
  readonly status: number | undefined;

  constructor(
    failure: FailureClass,
    message: string,
    options: {
      retryAfterMs?: number | undefined;
      status?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'UploadFailure';
    this.failure = failure;
    this.retryAfterMs = options.retryAfterMs;
    this.status = options.status;
  }
}

/** Error codes of Blob Storage that say something about the account or the request form, never about one blob. */
const TARGET_CODES = new Set([
  'AccountIsDisabled',
  'ContainerNotFound',
  'ContainerDisabled',
  'FeatureVersionMismatch',
  'InvalidHeaderValue',
  'InvalidUri',
  'InvalidResourceName',
  'InvalidQueryParameterValue',
  'OutOfRangeQueryParameterValue',
  'ResourceNotFound',
  'ResourceTypeMismatch',
  'UnsupportedHeader',
  'UnsupportedHttpVerb',
  'UnsupportedQueryParameter',
  'MissingRequiredHeader',
]);

const THROTTLED = new Set([429, 503]);
const AUTH = new Set([401, 403]);
/** Answers that pass by themselves: time-outs, a container being deleted, and all of 5xx but 501 and 505. */
const PASSING_CODES = new Set(['ContainerBeingDeleted', 'OperationTimedOut', 'ServerBusy']);

/** Reads what the SDK threw. The text that comes out holds no secret: no URL, no query, no signature. */
export function failureOf(error: unknown): UploadFailure {
  if (error instanceof UploadFailure) return error;
  const rest = error as Partial<RestError> & Error;
  const status = rest.statusCode;
  const code = codeOf(rest);
  const failure = classOf(status, code);
  const message = describe(rest, { status, code, failure });
  const retryAfterMs = retryAfter(rest.response?.headers.get('retry-after'));
  return new UploadFailure(failure, message, { status, retryAfterMs, cause: error });
}

/** The store's own error code, from the body or, when there is none as for HEAD, the header. */
export function codeOf(error: Partial<RestError>): string | undefined {
  const header = error.response?.headers.get('x-ms-error-code');
  const details = error.details as { errorCode?: string; code?: string } | undefined;
  return header ?? details?.errorCode ?? details?.code ?? error.code;
}

function classOf(status: number | undefined, code: string | undefined): FailureClass {
  if (status === undefined) return 'transport';
  if (THROTTLED.has(status)) return 'throttled';
  if (AUTH.has(status)) return 'auth';
  if (code !== undefined && PASSING_CODES.has(code)) return 'transport';
  if (status === 408 || (status >= 500 && status !== 501 && status !== 505)) return 'transport';
  if (status === 404 || status === 405 || status === 501 || status === 505) return 'target';
  // A redirect or a plain 400 without a storage code is a proxy or a captive portal, not the store.
  if (status < 400 || code === undefined) return 'target';
  return TARGET_CODES.has(code) ? 'target' : 'blob';
}

function describe(
  error: Partial<RestError> & Error,
  found: { status: number | undefined; code: string | undefined; failure: FailureClass },
): string {
  const what = withoutSecrets(error.message ?? String(error));
  if (found.status === undefined) return `no answer from the store: ${what}`;
  const head = `the store answered ${found.status}${found.code === undefined ? '' : ` ${found.code}`}`;
  if (found.failure !== 'auth') return `${head}: ${what}`;
  return `${head}: the credentials in HOLDFAST_STORAGE_CONNECTION_STRING are wrong, expired or lack rights${clockHint(error)}`;
}

/** A clock that is off by more than a quarter of an hour looks like a wrong key. */
function clockHint(error: Partial<RestError>): string {
  const date = error.response?.headers.get('date');
  const offMs = date === undefined ? 0 : Date.parse(date) - Date.now();
  if (!(Math.abs(offMs) > 5 * 60_000)) return '';
  return `; the clock here is ${Math.round(Math.abs(offMs) / 1000)} s ${offMs > 0 ? 'behind' : 'ahead of'} the store's`;
}

/** First line, without query strings, signatures and keys, at most 300 characters. */
export function withoutSecrets(text: string): string {
  return (text.split('\n')[0] ?? '')
    .replace(/\?[^\s"']+/g, '?(left out)')
    .replace(/\b(sig|AccountKey|SharedAccessSignature)=[^\s&;"']+/gi, '$1=(left out)')
    .slice(0, 300);
}

function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3_600_000) : undefined;
}
