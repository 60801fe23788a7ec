import type { RestError } from '@azure/storage-blob';

/**
 * Why an upload failed.
 * - `transport`: no answer, or the store says it is broken itself. Try later.
 * - `throttled`: the store asks for a pause.
 * - `clock`: the clock here is wrong, so signatures or certificates look invalid. Passes when somebody sets it.
 * - `auth`: the store knows us not. Somebody must give another key; until then, try now and then.
 * - `target`: account, container or API version are wrong: true of every blob, so no blob is to blame.
 * - `blob`: this blob, and perhaps one record in it, is refused for good.
 */
export type FailureClass = 'transport' | 'throttled' | 'clock' | 'auth' | 'target' | 'blob';

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
  const failure = isClock(rest, status, code) ? 'clock' : classOf(status, code);
  const message = describe(rest, { status, code, failure });
  const retryAfterMs = retryAfter(rest.response?.headers);
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
  if (found.status === undefined) {
    const hint = found.failure === 'clock' ? `; the clock here says ${shown(Date.now())}` : '';
    return `no answer from the store: ${what}${hint}`;
  }
  const head = `the store answered ${found.status}${found.code === undefined ? '' : ` ${found.code}`}`;
  if (found.failure === 'clock') {
    const offMs = skewOf(error);
    const off = `${Math.round(Math.abs(offMs) / 1000)} s ${offMs > 0 ? 'behind' : 'ahead of'}`;
    return `${head}: the clock here says ${shown(Date.now())} and is ${off} the store's, so signatures look invalid; set it`;
  }
  if (found.failure !== 'auth') return `${head}: ${what}`;
  return `${head}: the credentials in HOLDFAST_STORAGE_CONNECTION_STRING are wrong, expired or lack rights`;
}

const shown = (wallMs: number): string => new Date(wallMs).toISOString();

/** Azure takes a quarter of an hour for wrong; nothing else takes a clock for wrong that is off by less than this. */
const SKEW_MS_MIN = 5 * 60_000;

/** What TLS says of a certificate whose time has not come, or is over, by the clock here. */
const CERTIFICATE_TIME_CODES = new Set(['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']);

/** A clock that is off looks like a wrong key or a wrong certificate. */
function isClock(error: Partial<RestError>, status?: number, code?: string): boolean {
  if (status === undefined) return code !== undefined && CERTIFICATE_TIME_CODES.has(code);
  return AUTH.has(status) && Math.abs(skewOf(error)) > SKEW_MS_MIN;
}

/** By how many ms the store's clock is ahead of the one here; 0 when it does not say. */
function skewOf(error: Partial<RestError>): number {
  const offMs = Date.parse(error.response?.headers.get('date') ?? '') - Date.now();
  return Number.isFinite(offMs) ? offMs : 0;
}

/** First line, without query strings, signatures and keys, at most 300 characters. */
export function withoutSecrets(text: string): string {
  return (text.split('\n')[0] ?? '')
    .replace(/\?[^\s"']+/g, '?(left out)')
    .replace(/\b(sig|AccountKey|SharedAccessSignature)=[^\s&;"']+/gi, '$1=(left out)')
    .slice(0, 300);
}

/** Longest pause that a store may ask for, in ms: a nonsensical date must not end the delivery. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** The pause that the store asks for. A date is taken by the store's own clock, which the answer shows, not by ours. */
function retryAfter(headers: { get(name: string): string | undefined } | undefined) {
  const asked = headers?.get('retry-after');
  if (asked === undefined) return undefined;
  const seconds = Number(asked);
  const storeMs = Date.parse(headers?.get('date') ?? '');
  const nowMs = Number.isFinite(storeMs) ? storeMs : Date.now();
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(asked) - nowMs;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX) : undefined;
}
