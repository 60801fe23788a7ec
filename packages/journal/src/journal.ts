import { JournalError } from './errors.ts';
import type {
  EpochStart,
  JournalBatch,
  JournalKey,
  JournalOptions,
  JournalPosition,
  JournalReading,
  JournalStream,
  ReadOptions,
} from './port.ts';

const notYet = (): never => {
  throw new JournalError('JOURNAL_CLOSED', 'The journal is being written.');
};

/** Signatures first; the body follows in the next commit. */
export class Journal {
  static open(_options: JournalOptions): Journal {
    return notYet();
  }
  /** Live: always as it is now. */
  get streams(): readonly JournalStream[] {
    return notYet();
  }
  /** Partition of an asset: crc32 of its UTF-8 name modulo the number of partitions. */
  partitionOf(_asset: string): number {
    return notYet();
  }
  /** One transaction, fsynced when it returns; all or nothing. */
  append(_readings: readonly JournalReading[], _key?: JournalKey): JournalPosition[] {
    return notYet();
  }
  /** Several appends in one transaction: all or nothing. */
  appendAll(
    _entries: readonly { readings: readonly JournalReading[]; key?: JournalKey }[],
  ): JournalPosition[][] {
    return notYet();
  }
  findKey(_id: string): { digest: string; result: string } | undefined {
    return notYet();
  }
  /** Undefined when there is nothing after `after`. */
  readBatch(_partition: number, _options: ReadOptions): JournalBatch | undefined {
    return notYet();
  }
  /** Remembered at once, durable within a second or at `close`; what it covers is pruned in the background. */
  receipt(_partition: number, _through: number): void {
    notYet();
  }
  /** Does now what `receipt` leaves for later. */
  prune(): void {
    notYet();
  }
  get lookback(): number {
    return notYet();
  }
  setLookback(_rows: number): void {
    notYet();
  }
  /** Without receipt. */
  backlog(): { readings: number; bytes: number } {
    return notYet();
  }
  /** File and write-ahead log on disk. */
  sizeBytes(): number {
    return notYet();
  }
  startEpoch(_partition: number): EpochStart {
    return notYet();
  }
  /** Readings ever accepted, over all epochs. */
  accepted(): number {
    return notYet();
  }
  close(): void {
    notYet();
  }
}
