import type { AssetReadings } from '@holdfast/contracts';

/** One accepted reading, as a source hands it in. `values[i]` belongs to `signals[i]`; null is missing. */
export interface JournalReading {
  asset: string;
  signals: readonly string[];
  /** Whole milliseconds since 1970 UTC. */
  t: number;
  /** Finite numbers; anything else is refused with JOURNAL_READING. */
  values: readonly (number | null)[];
}

/** Where a reading stands after `append`. */
export interface JournalPosition {
  /** Partition number, 0-based. */
  partition: number;
  seq: number;
}

/** Idempotency key of a request: `result` is what a repeat of the request is answered with. */
export interface JournalKey {
  id: string;
  /** Of the request's body, so that the same key with another body shows. */
  digest: string;
  /** Text, or a function that makes it from the positions of the readings, called inside of the transaction. */
  result: string | ((positions: readonly JournalPosition[]) => string);
}

export interface JournalOptions {
  /** File of the database; `-wal` beside it belongs to it. */
  path: string;
  /** Fixed when the journal is created: an asset must stay in its stream. 1 to 64. */
  partitions: number;
  /** Streams are named `<streamPrefix>-<partition>`. */
  streamPrefix: string;
  /** Gives a name that was never given before; asked once a partition and epoch. */
  newEpoch(): string;
  /** Wall clock in ms since 1970. */
  wallMs(): number;
  /** For the age of idempotency keys, in ms. @default the wall clock */
  monotonicMs?(): number;
  /**
   * Called when the disk is full while something must be finished: a receipt, pruning, the log at the start. True when
   * there is room now and it is worth another try. @default there is none to be had
   */
  makeRoom?(): boolean;
  /** Size of the write-ahead log at which it is copied into the file. @default 32 MiB */
  logBytes?: number;
  /** Bytes of readings without receipt beyond which `append` throws JOURNAL_FULL. @default no limit */
  capBytes?: number;
  /** Idempotency keys are kept for this long. @default 86,400,000: a day */
  keyAgeMsMax?: number;
  /** At most so many idempotency keys are kept, oldest dropped first. @default 200,000 */
  keyCountMax?: number;
  /** How far back lookback reaches, in rows of the partition: see `LOOKBACK_SPAN`. @default 65,536 */
  lookbackSpan?: number;
  /** Free space that the file keeps for reuse; what an outage left beyond goes back to the disk. @default 64 MiB */
  freeBytesMax?: number;
}

/** One partition's stream, as it is now: the object is live. Numbers are of the present epoch, from 1; 0 is none. */
export interface JournalStream {
  readonly partition: number;
  readonly stream: string;
  readonly epoch: string;
  readonly appended: number;
  readonly receipted: number;
  /** Readings of this partition that damage has cost and that the far end knows of, over all epochs. */
  readonly lost: number;
  /**
   * Rows behind this number belong to the next epoch: an unknown number of rows was lost here, and their numbers must
   * not be given again. When all up to it has its receipt the owner calls `startEpoch`.
   */
  readonly barrier?: number | undefined;
}

/** Rows that are missing for good. Numbers are of that epoch. */
export interface JournalGap {
  stream: string;
  epoch: string;
  first: number;
  last: number;
  count: number;
}

export interface ReadOptions {
  /** Rows with a greater sequence number; at least the last receipt. */
  after: number;
  /** Bytes of UTF-8 that the whole readings message may have; `want` is not counted, so take it off before. */
  bytesMax: number;
  /** Earlier rows of each group. */
  lookback: number;
  /** @default no limit */
  rowsMax?: number;
}

/** Rows `first..last` of a stream, ready to become a readings message. */
export interface JournalBatch {
  first: number;
  last: number;
  /** When the oldest of these rows was accepted, wall clock. */
  acceptedMs: number;
  assets: AssetReadings[];
}
