import type Database from 'better-sqlite3';
import { JournalError } from './errors.ts';
import { Partition, type StreamRow } from './partition.ts';
import type { JournalOptions } from './port.ts';
import { LOOKBACK_SPAN } from './tail.ts';

/** Where each stream stands, durable: one row a partition. */
export class StreamTable {
  readonly #db: Database.Database;
  readonly #save: Database.Statement;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#save = db.prepare(
      `INSERT INTO stream (partition, epoch, base, receipted, lost) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch, base = excluded.base,
         receipted = excluded.receipted, lost = excluded.lost`,
    );
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
      return new Partition(this.#db, { stream: `${streamPrefix}-${partition}`, lookbackSpan }, row);
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
