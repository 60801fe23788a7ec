import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';
import { ChunkWriter } from './chunk-writer.ts';
import {
  asJournalError,
  type InTransaction,
  isDamage,
  transactions,
  withReserve,
} from './database.ts';
import { DiskUsage } from './disk-usage.ts';
import { JournalError } from './errors.ts';
import { Housekeeping } from './housekeeping.ts';
import { IdempotencyKeys } from './idempotency-keys.ts';
import { insertRows } from './insert-rows.ts';
import { Mark, type MarkState, markedStream } from './mark.ts';
import { noteDamage } from './note-damage.ts';
import { type OpenedJournal, openJournal } from './open-journal.ts';
import { DamagedRows, type Partition } from './partition.ts';
import type {
  JournalBatch,
  JournalKey,
  JournalOptions,
  JournalPosition,
  JournalReading,
  JournalStream,
  ReadOptions,
} from './port.ts';
import { keepAside } from './quarantine.ts';
import type { SalvageReport } from './salvage.ts';
import { StreamTable } from './stream-table.ts';
import { schemaSum } from './verify.ts';

/** Assets whose partition is remembered; a hash costs about a third of a microsecond. */
const ASSETS_REMEMBERED = 50_000;
interface Entry {
  readings: readonly JournalReading[];
  key?: JournalKey;
}

/**
 * The journal of a site's readings: append-only, in a few streams, fsynced before `append` returns, kept until a
 * receipt covers it. It holds the only copy of a reading between its acknowledgement to the source and the receipt.
 * Memory does not depend on the backlog. All calls are synchronous; only pruning runs by itself, in steps of a few
 * milliseconds.
 */
export class Journal {
  readonly disk: DiskUsage;
  readonly #db: Database.Database;
  readonly #options: JournalOptions;
  readonly #table: StreamTable;
  readonly #partitions: readonly Partition[];
  readonly #keys: IdempotencyKeys;
  readonly #housekeeping: Housekeeping;
  readonly #inTransaction: InTransaction;
  /** The same for what must be written on a full disk too. */
  readonly #finishing: InTransaction;
  readonly #writer = new ChunkWriter();
  readonly #partitionOf = new Map<string, number>();
  readonly #mark: Mark;
  readonly #schema: number;
  /** What was salvaged when this journal was opened; undefined when nothing was wrong. */
  readonly salvage: SalvageReport | undefined;
  #lookback: number;
  #closed = false;

  /**
   * Opens a journal, or makes one. A damaged one is salvaged: see `salvage`.
   * @throws JournalError JOURNAL_LOCKED, JOURNAL_SCHEMA, JOURNAL_OPTIONS, JOURNAL_DISK, JOURNAL_DISK_FULL
   */
  static open(options: JournalOptions): Journal {
    const opened = openJournal(options);
    try {
      return new Journal(opened, options);
    } catch (error) {
      opened.db.close();
      if (opened.salvage === undefined && isDamage(error)) {
        noteDamage(options.path, (error as Error).message);
        return Journal.open(options);
      }
      throw asJournalError(error, options.path);
    }
  }

  private constructor({ db, salvage, uncertainEnd }: OpenedJournal, options: JournalOptions) {
    this.#db = db;
    this.#options = options;
    this.salvage = salvage;
    this.#inTransaction = transactions(db, options.path);
    this.#finishing = withReserve(this.#inTransaction, { db, ...options });
    this.disk = new DiskUsage(db, options.path);
    this.#table = new StreamTable(db);
    this.#partitions = this.#finishing(() => {
      const partitions = this.#table.load(options);
      if (uncertainEnd) for (const partition of partitions) this.#table.setBarrier(partition);
      return partitions;
    });
    this.#keys = new IdempotencyKeys(db, {
      ageMsMax: options.keyAgeMsMax ?? 86_400_000,
      countMax: options.keyCountMax ?? 200_000,
      monotonicMs: options.monotonicMs,
    });
    const lookback = db.prepare("SELECT value FROM setting WHERE name = 'lookback'").pluck().get();
    this.#lookback = (lookback as number | undefined) ?? 0;
    this.#housekeeping = new Housekeeping({
      db,
      inTransaction: this.#finishing,
      table: this.#table,
      partitions: this.#partitions,
      keys: this.#keys,
      wallMs: options.wallMs,
      keepLookback: () => this.#lookback > 0,
      freeBytesMax: options.freeBytesMax,
    });
    this.#schema = schemaSum(db);
    this.#mark = new Mark(options.path, this.#markState(false));
  }

  /** Live: each is always as it is now. */
  get streams(): readonly JournalStream[] {
    return this.#partitions;
  }

  /** Partition of an asset: crc32 of its UTF-8 name modulo the number of partitions. */
  partitionOf(asset: string): number {
    let partition = this.#partitionOf.get(asset);
    if (partition === undefined) {
      if (this.#partitionOf.size >= ASSETS_REMEMBERED) this.#partitionOf.clear();
      partition = crc32(asset) % this.#partitions.length;
      this.#partitionOf.set(asset, partition);
    }
    return partition;
  }

  /**
   * Stores readings, and the key of their request, in one transaction that is fsynced when this returns; all or
   * nothing. Gives the position of each reading, in the order given.
   * @throws JournalError JOURNAL_FULL (wait for receipts), JOURNAL_DISK_FULL (wait for room), JOURNAL_READING,
   *   JOURNAL_KEY_EXISTS; JOURNAL_DISK, after which the process must end
   */
  append(readings: readonly JournalReading[], key?: JournalKey): JournalPosition[] {
    return this.appendAll([key === undefined ? { readings } : { readings, key }])[0]!;
  }

  /** Several appends in one transaction and fsync: all or nothing. @throws as `append` */
  appendAll(entries: readonly Entry[]): JournalPosition[][] {
    this.#refuseWhenClosed();
    this.#refuseWhenFull();
    const wallMs = this.#options.wallMs();
    const { positions, rows } = this.#sort(entries);
    const inserted = this.#inTransaction(() => {
      entries.forEach(({ key }, index) => {
        if (key) this.#keys.insert(key, positions[index]!, wallMs);
      });
      return rows.map((readings, partition) =>
        readings.length === 0
          ? 0
          : insertRows(this.#writer, this.#partitions[partition]!, readings, wallMs),
      );
    });
    rows.forEach((readings, index) => {
      const partition = this.#partitions[index]!;
      partition.inserted(partition.storedAppended + readings.length, inserted[index]!);
    });
    this.#mark.write(this.#markState(false), false);
    if (entries.some((entry) => entry.key)) this.#housekeeping.keyAdded();
    return positions;
  }

  /** What was stored with an idempotency key; undefined if it is unknown or older than the bounds. */
  findKey(id: string): { digest: string; result: string } | undefined {
    this.#refuseWhenClosed();
    return this.#keys.find(id);
  }

  /**
   * Rows after `after`, as many as fit; undefined when there are none. The same `after` and limits give the same
   * rows and the same lookback at any time, before or after restarts and pruning.
   * @throws JournalError JOURNAL_DAMAGED with stream and range when the very next rows are lost, without when the
   *   process has to end; JOURNAL_RANGE
   */
  readBatch(partition: number, options: ReadOptions): JournalBatch | undefined {
    this.#refuseWhenClosed();
    const source = this.#partitions[partition];
    if (source === undefined || options.lookback > this.#lookback) {
      throw new JournalError(
        'JOURNAL_RANGE',
        `There are partitions 0 to ${this.#partitions.length - 1} and ${this.#lookback} rows of lookback, not ${partition} and ${options.lookback}.`,
      );
    }
    try {
      return source.read(options);
    } catch (error) {
      if (error instanceof DamagedRows) {
        this.#bury(source, error);
        // Says where the gap is.
        return this.readBatch(partition, options);
      }
      const { code, range, reason } = error as JournalError;
      if (code === 'JOURNAL_DAMAGED' && range === undefined) {
        noteDamage(this.#options.path, reason ?? code);
      }
      throw asJournalError(error, this.#options.path);
    }
  }

  /**
   * All rows through this number are applied and fsynced elsewhere. Counts at once; durable within a second and
   * pruned in the background. One that is behind the last is ignored. `lost` of the rows that it covers were gaps,
   * and are known as such.
   */
  receipt(partition: number, through: number, lost = 0): void {
    this.#refuseWhenClosed();
    const stream = this.#partitions[partition]!;
    if (through > stream.appended) {
      throw new JournalError(
        'JOURNAL_RANGE',
        `${stream.stream} ends at ${stream.appended}, not ${through}.`,
      );
    }
    const rows = through - stream.receipted;
    if (rows <= 0) return;
    stream.storedReceipted += rows;
    stream.lost += lost;
    stream.receiptDirty = true;
    this.#housekeeping.receipted(rows);
  }

  /** Does now, and to the end, what `receipt` leaves for later. */
  prune(): void {
    this.#refuseWhenClosed();
    while (this.#housekeeping.step());
  }

  /** Rows of lookback that are kept behind the receipts; durable. */
  get lookback(): number {
    return this.#lookback;
  }

  /** @throws JournalError JOURNAL_DISK_FULL, JOURNAL_DISK */
  setLookback(rows: number): void {
    this.#refuseWhenClosed();
    this.#finishing(() =>
      this.#db
        .prepare("INSERT OR REPLACE INTO setting (name, value) VALUES ('lookback', ?)")
        .run(rows),
    );
    this.#lookback = rows;
    this.#mark.write(this.#markState(false), false);
  }

  /** Readings without receipt; bytes as stored. */
  backlog(): { readings: number; bytes: number } {
    let readings = 0;
    let bytes = 0;
    for (const partition of this.#partitions) {
      readings += partition.storedAppended - partition.storedReceipted;
      bytes += partition.backlogBytes;
    }
    return { readings, bytes };
  }

  /**
   * Gives the stream a new epoch, and gives its name: what has no receipt is numbered from 1 again. Rows that were
   * applied without their receipt having arrived will be applied again, so this is for a stream that cannot go on
   * otherwise.
   */
  startEpoch(partition: number): string {
    this.#refuseWhenClosed();
    const stream = this.#partitions[partition]!;
    const base = stream.storedReceipted;
    const epoch = this.#options.newEpoch();
    this.#finishing(() => {
      this.#table.save({ partition, epoch, base, receipted: base, lost: stream.lost });
      this.#table.clearBarrier(partition);
    });
    stream.epoch = epoch;
    stream.storedBase = base;
    stream.storedBarrier = undefined;
    this.#mark.write(this.#markState(false), true);
    return epoch;
  }

  /** Readings ever accepted, over all epochs. */
  accepted(): number {
    return this.#partitions.reduce((sum, partition) => sum + partition.storedAppended, 0);
  }

  /** Makes receipts durable and closes the file. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#housekeeping.cancel();
    try {
      this.#finishing(() => this.#table.saveReceipts(this.#partitions));
    } catch (error) {
      // A receipt that is forgotten on a full disk costs a resend, nothing else.
      if ((error as { code?: unknown }).code !== 'JOURNAL_DISK_FULL') throw error;
    } finally {
      this.#closed = true;
      this.#db.close();
    }
    this.#mark.write(this.#markState(true), true);
    this.#mark.close();
  }

  #markState(clean: boolean): MarkState {
    const streams = this.#partitions.map(markedStream);
    return { streams, schema: this.#schema, lookback: this.#lookback, clean };
  }

  /** Makes damaged rows a gap, and keeps what stood there for whoever wants to look. */
  #bury(stream: Partition, rows: DamagedRows): void {
    const { path, wallMs } = this.#options;
    const found = this.#finishing(() => stream.bury(rows, wallMs()));
    keepAside(`${path}-${stream.partition}-${rows.first}.chunk`, found, wallMs());
  }

  #sort(entries: readonly Entry[]): { positions: JournalPosition[][]; rows: JournalReading[][] } {
    const rows: JournalReading[][] = this.#partitions.map(() => []);
    const positions = entries.map(({ readings }) =>
      readings.map((reading) => {
        const partition = this.partitionOf(reading.asset);
        const seq = this.#partitions[partition]!.appended + rows[partition]!.push(reading);
        return { partition, seq };
      }),
    );
    return { positions, rows };
  }

  #refuseWhenClosed(): void {
    if (this.#closed) throw new JournalError('JOURNAL_CLOSED', 'The journal is closed.');
  }

  #refuseWhenFull(): void {
    const cap = this.#options.capBytes;
    if (cap === undefined) return;
    const { readings, bytes } = this.backlog();
    if (bytes < cap) return;
    throw new JournalError(
      'JOURNAL_FULL',
      `${readings} readings wait for their receipt in ${bytes} bytes, and ${cap} are allowed.`,
    );
  }
}
