import type { LostRange } from '@holdfast/contracts';
import type { Log } from '@holdfast/module-host';
import type { NotedScores } from './domain/noted-scores.ts';

/** A full disk is not tried again before this. */
const FULL_MS = 1_000;

/** A try to make room is a transaction, so not one for each batch that comes meanwhile. */
const TRY_MS = 500;

export interface HeldBatch {
  scores: NotedScores;
  /** Ranges that its sender has lost, as they came with it. */
  lost: LostRange[];
}

export interface HeldBatchesOptions {
  /** The store has no room for a batch. */
  short(): boolean;
  /** Tries to make room, in a transaction of its own. */
  makeRoom(): void;
  monotonicMs(): number;
  log: Log;
}

/**
 * Keeps batches away from a store without room. They are not applied, so there is no receipt: their readings stay in
 * the journal of their sender, whose credit ends soon, and whose sources are told to wait when that journal is full
 * too. The first batch of each stream is remembered, only so that the stream goes on at once when there is room.
 */
export class HeldBatches {
  readonly #options: HeldBatchesOptions;
  readonly #batches = new Map<string, HeldBatch>();
  #triedMs = Number.NEGATIVE_INFINITY;
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  /** Why nothing is applied now; undefined while there is room. */
  reason: string | undefined;
  /** Batches that were not applied for lack of room, since the start. */
  count = 0;

  constructor(options: HeldBatchesOptions) {
    this.#options = options;
  }

  /** Whether a batch may be applied now. */
  hasRoom(): boolean {
    const { log } = this.#options;
    const isFull = this.#options.monotonicMs() < this.#fullUntilMs;
    if (isFull || this.#isShort()) {
      const reason = isFull
        ? 'the disk is full'
        : 'the store has no room left, and only records that must not go';
      if (this.reason === undefined) {
        log.error('No more is applied', { code: 'FWD_DISK_FULL', reason });
      }
      this.reason = reason;
      return false;
    }
    if (this.reason !== undefined) log.info('There is room in the store again');
    this.reason = undefined;
    return true;
  }

  /** A commit has found the disk full, and the reserve was not enough. */
  wasFull(): void {
    this.#fullUntilMs = this.#options.monotonicMs() + FULL_MS;
  }

  #isShort(): boolean {
    const { short, makeRoom, monotonicMs } = this.#options;
    if (!short()) return false;
    if (monotonicMs() - this.#triedMs < TRY_MS) return true;
    this.#triedMs = monotonicMs();
    makeRoom();
    return short();
  }

  hold(batch: HeldBatch): void {
    this.count++;
    const { stream, epoch, first } = batch.scores;
    const before = this.#batches.get(stream)?.scores;
    if (before?.epoch === epoch && before.first <= first) return;
    this.#batches.set(stream, batch);
  }

  /** The batches that were held, when there is room for them. */
  take(): HeldBatch[] {
    if (this.#batches.size === 0 || !this.hasRoom()) return [];
    const batches = [...this.#batches.values()];
    this.#batches.clear();
    return batches;
  }
}
