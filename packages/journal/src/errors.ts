export type JournalErrorCode =
  /** The file was written by a newer version. */
  | 'JOURNAL_SCHEMA'
  /** Another process has the journal open. */
  | 'JOURNAL_LOCKED'
  /** The options do not fit the journal on disk. */
  | 'JOURNAL_OPTIONS'
  /**
   * With a range: these rows are lost, and for good; go on behind them. Without: the file is not what was written;
   * end the process, the next start salvages.
   */
  | 'JOURNAL_DAMAGED'
  /** The backlog is at its cap: wait for receipts and try again. */
  | 'JOURNAL_FULL'
  /** A reading that cannot be stored. */
  | 'JOURNAL_READING'
  /** The idempotency key is taken. */
  | 'JOURNAL_KEY_EXISTS'
  /** A sequence number that the journal does not hold. */
  | 'JOURNAL_RANGE'
  /** The disk is full: nothing of the transaction was stored. Try again when there is room. */
  | 'JOURNAL_DISK_FULL'
  /**
   * The disk failed. What the last transaction has left there is not known, least of all after a failed fsync, so the
   * process must end; the next one opens the file and makes all that it finds durable before it goes on.
   */
  | 'JOURNAL_DISK'
  | 'JOURNAL_CLOSED';

/** Everything that the journal refuses or cannot do; match on `code`. */
export class JournalError extends Error {
  readonly code: JournalErrorCode;
  /** Stream and range (of the present epoch) that are concerned, where there are any. */
  readonly stream?: string;
  readonly range?: { first: number; last: number };
  /** Why the rows of the range are missing. */
  readonly reason?: string;

  constructor(
    code: JournalErrorCode,
    message: string,
    detail: {
      stream?: string;
      range?: { first: number; last: number };
      reason?: string;
      cause?: unknown;
    } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'JournalError';
    this.code = code;
    if (detail.stream !== undefined) this.stream = detail.stream;
    if (detail.range !== undefined) this.range = detail.range;
    if (detail.reason !== undefined) this.reason = detail.reason;
  }
}
