import type Database from 'better-sqlite3';
import { JournalError } from './errors.ts';
import { Partition, type StreamRow } from './partition.ts';
import type { JournalOptions } from './port.ts';
import { LOOKBACK_SPAN } from './tail.ts';

const barrierOf = (partition: number): string => `barrier_${partition}`;

/** Where each stream stands, durable: one row a partition. */
export class StreamTable {
  readonly #db: Database.Database;
  readonly #save: Database.Statement;
  readonly #barrier: Database.Statement;
  readonly #setBarrier: Database.Statement;
  readonly #clearBarrier: Database.Statement;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#save = db.prepare(
      `INSERT INTO stream (partition, epoch, base, receipted, lost) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch, base = excluded.base,
         receipted = excluded.receipted, lost = excluded.lost`,
    );
    this.#barrier = db.prepare('SELECT value FROM setting WHERE name = ?').pluck();
    this.#setBarrier = db.prepare('INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)');
    this.#clearBarrier = db.prepare('DELETE FROM setting WHERE name = ?');
  }

  /** Inside a transaction: what is appended from here on gets an epoch of its own. */
  setBarrier(partition: Partition): void {
    partition.storedBarrier = partition.storedAppended;
    this.#setBarrier.run(barrierOf(partition.partition), partition.storedAppended);
  }

  /** Inside a transaction: the new epoch has begun. */
  clearBarrier(partition: number): void {
    this.#clearBarrier.run(barrierOf(partition));
  }

  /** Inside a transaction: all partitions, made if the journal is new. @throws JournalError JOURNAL_OPTIONS */
  load(options: JournalOptions): Partition[] {
    const { partitions, path, streamPrefix, newEpoch, lookbackSpan = LOOKBACK_SPAN } = options;
    const rows = this.#db.prepare('SELECT * FROM stream ORDER BY partition').all() as StreamRow[];
    if (rows.length > 0 && rows.length !== partitions) {
      throw new JournalError(
        'JOURNAL_OPTIONS',
        `${path} has ${rows.length} partitions, not ${partitions}: the number is fixed when a journal is created, because an asset must stay in its stream.`,
      );
    }
    return Array.from({ length: partitions }, (_, partition) => {
      let row = rows[partition];
      if (row === undefined) {
        row = { partition, epoch: newEpoch(), base: 0, receipted: 0, lost: 0 };
        this.save(row);
      }
      const place = { stream: `${streamPrefix}-${partition}`, lookbackSpan };
      const loaded = new Partition(this.#db, place, row);
      loaded.storedBarrier = this.#barrier.get(barrierOf(partition)) as number | undefined;
      return loaded;
    });
  }

  /** Inside a transaction. */
  save({ partition, epoch, base, receipted, lost }: StreamRow): void {
    this.#save.run(partition, epoch, base, receipted, lost);
  }

  /** Inside a transaction: receipts that only memory knows. Clear `receiptDirty` when it is committed. */
  saveReceipts(partitions: readonly Partition[]): void {
    for (const stream of partitions) {
      if (!stream.receiptDirty) continue;
      const { partition, epoch, storedBase: base, storedReceipted: receipted, lost } = stream;
      this.save({ partition, epoch, base, receipted, lost });
    }
  }
}
