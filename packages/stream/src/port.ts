/**
 * What the two ends of a stream are built on. The state machines in this package are pure: no clock, no
 * randomness, no I/O; time comes in as monotonic milliseconds.
 */

/** A position in one life of one stream. */
export interface StreamPosition {
  stream: string;
  epoch: string;
}

/** Sequence numbers `first..last`, both included. */
export interface SequenceRange {
  first: number;
  last: number;
}

/** What a sender finds in its journal at start, or after `startEpoch`. */
export interface SenderStart {
  stream: string;
  epoch: string;
  /** Last sequence number in the journal. */
  appended: number;
  /** Last receipt that the journal remembers; an older one than the true one only means a resend. */
  receipted: number;
}

export interface SenderOptions {
  /** Batches that may be without receipt. @default 4 */
  credit?: number;
  /** Bounds of the resend timeout. @default 200 */
  timeoutMsMin?: number;
  /** @default 60,000: an hour without receiver costs 60 messages, not 18,000 */
  timeoutMsMax?: number;
  /** Before the first measured round trip. @default 1,000, as RFC 6298 has it */
  timeoutMsFirst?: number;
}

export type SenderStep =
  /**
   * Read a batch after this sequence number, call `sent`, then hand it to the transport. `base` goes with it: all up
   * to it has its receipt, or is lost.
   */
  | { kind: 'send'; after: number; base: number }
  /** Nothing to do before this time, or before `appended` or `receipt` is called. */
  | { kind: 'wait'; untilMs: number | undefined };

export type ReceiptOutcome =
  | { kind: 'advanced'; through: number }
  /** Known already. */
  | { kind: 'stale' }
  /** Of an earlier life of the stream; counted. */
  | { kind: 'other-epoch' }
  /** For more than was ever appended: the journal went back in time. The owner starts a new epoch. */
  | { kind: 'diverged' };

export interface SenderStatus {
  stream: string;
  epoch: string;
  appended: number;
  /** Last sequence number handed out since the last return to the receipt. */
  sent: number;
  receipted: number;
  inFlightBatches: number;
  window: number;
  /** Batches that began with rows handed out before. */
  resends: number;
  timeouts: number;
  staleReceipts: number;
  otherEpochReceipts: number;
  /** Smoothed round trip; undefined before the first sample. */
  roundTripMs: number | undefined;
  timeoutMs: number;
}

/** What a receiver looks at in a batch. */
export interface StreamBatch extends StreamPosition, SequenceRange {
  /** The sender had a receipt for all up to this number when it made the batch. The owner checks `base < first`. */
  base: number;
}

export interface StreamReceipt extends StreamPosition {
  through: number;
}

export interface OfferResult<B> {
  /**
   * Receipts for these rows were given by an earlier life of the store, which was lost: they do not come again. The
   * position has gone past them. Record the gap in the same transaction as what is to be applied, before it.
   */
  skipped?: SequenceRange;
  /** Apply these now, in this order, each from sequence number `from` on, in one transaction with the positions. */
  apply: { batch: B; from: number }[];
  /** What became of the batch that was offered. */
  outcome: 'applied' | 'parked' | 'duplicate';
  /** Parked batches that had to go because the bound was reached; they come again. */
  dropped: number;
}
