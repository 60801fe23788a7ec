import type Database from 'better-sqlite3';
import { Background } from './background.ts';
import { type InTransaction, PAGE_BYTES } from './database.ts';
import type { IdempotencyKeys } from './idempotency-keys.ts';
import type { Partition } from './partition.ts';
import type { StreamTable } from './stream-table.ts';

/** A receipt is durable after this long at the latest; a lost one costs a resend, nothing else. */
const AFTER_MS = 1_000;
/** Or after so many rows, so that the file stays small at full speed. */
const AFTER_ROWS = 50_000;
/** About what ten seconds at full speed need; taking space from the file system anew costs more than keeping it. */
const FREE_BYTES_MAX = 64 * 1024 * 1024;
/** Pages given back in one step: about a millisecond. */
const VACUUM_PAGES = 256;

export interface HousekeepingParts {
  db: Database.Database;
  /** With the reserve: all of this makes room, or keeps a promise. */
  inTransaction: InTransaction;
  table: StreamTable;
  partitions: readonly Partition[];
  keys: IdempotencyKeys;
  wallMs(): number;
  keepLookback(): boolean;
  freeBytesMax: number | undefined;
}

/**
 * What follows from receipts, but not at once: makes them durable, deletes the rows that they cover and old
 * idempotency keys, and gives space back. One transaction a second instead of one a receipt.
 */
export class Housekeeping {
  readonly #parts: HousekeepingParts;
  readonly #background = new Background(() => this.step(), AFTER_MS);
  #rows = 0;
  #keys = false;

  constructor(parts: HousekeepingParts) {
    this.#parts = parts;
    // Receipts may have come in just before the last end, and their rows are still there.
    this.#background.soon();
  }

  /** So many more rows have their receipt. */
  receipted(rows: number): void {
    this.#rows += rows;
    if (this.#rows >= AFTER_ROWS) this.#background.next();
    else this.#background.soon();
  }

  keyAdded(): void {
    this.#keys = true;
    this.#background.soon();
  }

  cancel(): void {
    this.#background.cancel();
  }

  /** A bounded piece of the work. True when there is more to do. */
  step(): boolean {
    this.#rows = 0;
    const { inTransaction, table, partitions, keys, wallMs, keepLookback } = this.#parts;
    const done = inTransaction(() => {
      table.saveReceipts(partitions);
      return {
        pruned: partitions.map((partition) => partition.prune(keepLookback())),
        keys: this.#keys && keys.prune(wallMs()),
      };
    });
    this.#keys = done.keys;
    let more = done.keys;
    partitions.forEach((partition, index) => {
      partition.receiptDirty = false;
      const pruned = done.pruned[index];
      if (pruned === undefined) return;
      partition.pruned(pruned);
      if (pruned.more) more = true;
    });
    return this.#giveBack() || more;
  }

  #giveBack(): boolean {
    const { db, inTransaction, freeBytesMax = FREE_BYTES_MAX } = this.#parts;
    const keep = freeBytesMax / PAGE_BYTES;
    const free = db.pragma('freelist_count', { simple: true }) as number;
    if (free <= keep) return false;
    inTransaction(() => db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`));
    return free - VACUUM_PAGES > keep;
  }
}
