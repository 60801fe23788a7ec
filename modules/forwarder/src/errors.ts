/** Codes of the forwarder; each names one thing an operator can act on. */
export const FORWARDER_ERROR_CODES = [
  'FWD_STORE_DAMAGED',
  'FWD_STORE_NEWER',
  'FWD_COMMIT_FAILED',
  'FWD_DISK_FULL',
  'FWD_TARGET_INVALID',
  'FWD_LANE_IMBALANCE',
  'FWD_STORE_LOST',
  'FWD_STOPPED',
] as const;
export type ForwarderErrorCode = (typeof FORWARDER_ERROR_CODES)[number];

/** An operating error; match on `code`. The message holds no secret. */
export class ForwarderError extends Error {
  readonly code: ForwarderErrorCode;
  readonly hint: string;

  constructor(code: ForwarderErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ForwarderError';
    this.code = code;
    this.hint = hint;
  }
}
