import type Database from 'better-sqlite3';
import { BatchBuilder } from './batch.ts';
import { type Chunk, readChunk } from './chunk.ts';
import { JournalError } from './errors.ts';
import { readGap, writeGap } from './gap.ts';
import type { JournalBatch, JournalStream, ReadOptions } from './port.ts';
import { Tail } from './tail.ts';

type ChunkRow = [first: number, last: number, body: Buffer];

/** Chunks that one prune transaction removes at most: a few milliseconds. */
const PRUNE_CHUNKS_MAX = 500;

export interface StreamRow {
  partition: number;
  epoch: string;
  base: number;
  receipted: number;
  lost: number;
}

export interface Pruned {
  /** Stored number before which everything is gone. */
  before: number;
  bytes: number;
  /** There is more to do. */
  more: boolean;
}

/**
 * One partition: its chunks on disk and where its stream stands.
 *
 * Rows carry **stored** numbers, contiguous from 1 for the whole life of the file. An epoch is a name and a `base`:
 * sequence number = stored number - base. So a new epoch renumbers everything without touching a row, and the stored
 * numbers count what was ever accepted.
 */
export class Partition implements JournalStream {
  readonly partition: number;
  readonly stream: string;
  epoch: string;
  /** Stored numbers. */
  storedBase: number;
  storedReceipted: number;
  storedAppended: number;
  lost: number;
  storedBarrier: number | undefined;
  /** The receipt on disk is older than the one in memory. */
  receiptDirty = false;
  #storedOldest: number;
  #bytes: number;
  /** The chunk that the last batch ended in: most batches end inside one. */
  #cached: Chunk | undefined;
  #tail: Tail | undefined;
  readonly #sql: ReturnType<typeof statements>;

  readonly #span: number;

  constructor(
    db: Database.Database,
    place: { stream: string; lookbackSpan: number },
    row: StreamRow,
  ) {
    createChunkTable(db, row.partition);
    this.#sql = statements(db, row.partition);
    this.partition = row.partition;
    this.stream = place.stream;
    this.#span = place.lookbackSpan;
    this.epoch = row.epoch;
    this.storedBase = row.base;
    this.storedReceipted = row.receipted;
    this.lost = row.lost;
    const [oldest, newest, bytes] = this.#sql.extent.get() as [
      number | null,
      number | null,
      number,
    ];
    this.storedAppended = Math.max(newest ?? 0, row.receipted);
    this.#storedOldest = oldest ?? this.storedAppended + 1;
    this.#bytes = bytes;
  }

  get barrier(): number | undefined {
    return this.storedBarrier === undefined ? undefined : this.storedBarrier - this.storedBase;
  }

  get appended(): number {
    return this.storedAppended - this.storedBase;
  }

  get receipted(): number {
    return this.storedReceipted - this.storedBase;
  }

  /** Of rows without receipt; in proportion, because a chunk may have both. */
  get backlogBytes(): number {
    const stored = this.storedAppended - this.#storedOldest + 1;
    if (stored <= 0) return 0;
    return Math.ceil((this.#bytes * (this.storedAppended - this.storedReceipted)) / stored);
  }

  /** Inside a transaction; call `inserted` when it is committed. */
  insert(first: number, last: number, body: Buffer): void {
    this.#sql.insert.run(first, last, body);
  }

  inserted(last: number, bytes: number): void {
    this.storedAppended = last;
    this.#bytes += bytes;
  }

  read(options: ReadOptions): JournalBatch | undefined {
    if (options.after < this.receipted || options.after > this.appended) {
      throw new JournalError(
        'JOURNAL_RANGE',
        `${this.stream} can be read after ${this.receipted} to ${this.appended}, not after ${options.after}.`,
        { stream: this.stream },
      );
    }
    if (options.after === this.appended) return undefined;
    const after = options.after + this.storedBase;
    const tail = options.lookback > 0 ? this.#tailAt(after, options.lookback) : undefined;
    const builder = new BatchBuilder(
      {
        bytesMax: options.bytesMax,
        rowsMax: options.rowsMax ?? Number.MAX_SAFE_INTEGER,
        offset: this.storedBase,
        nameBytes: this.stream.length + this.epoch.length,
        lastMax: this.appended,
      },
      tail,
    );
    this.#fill(builder, after + 1);
    return builder.finish();
  }

  /**
   * Inside a transaction: deletes rows that no receipt, and no lookback behind it, needs; a bounded number of chunks.
   * Undefined when there are none. Call `pruned` when it is committed.
   */
  prune(keepLookback: boolean): Pruned | undefined {
    const keepFrom = this.storedReceipted + 1 - (keepLookback ? this.#span : 0);
    if (keepFrom <= this.#storedOldest) return undefined;
    const at = this.#sql.chunkAt.get(keepFrom) as [number, number] | undefined;
    if (at === undefined) return undefined;
    let before = at[1] < keepFrom ? at[1] + 1 : at[0];
    const limit = this.#sql.nthFrom.get(before, PRUNE_CHUNKS_MAX) as [number] | undefined;
    if (limit !== undefined) before = limit[0];
    if (before <= this.#storedOldest) return undefined;
    const [bytes] = this.#sql.bytesBefore.get(before) as [number];
    this.#sql.remove.run(before);
    return { before, bytes, more: limit !== undefined };
  }

  pruned({ before, bytes }: Pruned): void {
    this.#bytes -= bytes;
    this.#storedOldest = before;
  }

  /**
   * Inside a transaction: puts a gap in the place of damaged rows, so that they stay lost, whatever the damage does
   * next. Gives what stood there.
   */
  bury({ first, last, reason }: DamagedRows, foundMs: number): Buffer[] {
    const bodies = this.#sql.bodies.all(first, first, last) as [number, number, Buffer][];
    for (const [row, , body] of bodies) {
      this.#sql.removeOne.run(row);
      this.#bytes -= body.length;
    }
    const place = { partition: this.partition, first, last };
    const gap = writeGap(place, { reason, foundMs });
    this.insert(first, last, gap);
    this.#bytes += gap.length;
    return bodies.map(([, , body]) => body);
  }

  #fill(builder: BatchBuilder, from: number): void {
    let position = from;
    if (this.#cached !== undefined && inside(this.#cached, position)) {
      if (!builder.take(this.#cached, position)) return;
      position = this.#cached.last + 1;
    }
    this.#cached = undefined;
    if (position > this.storedAppended) return;
    for (const row of this.#rowsFrom(position)) {
      const chunk = row[0] <= position && position <= row[1] ? this.#open(row) : undefined;
      if (chunk === undefined) {
        // What was read before the damage is good; the next read begins at the damage.
        if (!builder.empty) return;
        throw this.#unreadable(row, position);
      }
      if (!builder.take(chunk, position)) {
        this.#cached = chunk;
        return;
      }
      position = chunk.last + 1;
    }
    if (builder.empty) throw this.#missing(position);
  }

  #tailAt(after: number, lookback: number): Tail {
    if (this.#tail?.position === after && this.#tail.lookback === lookback) return this.#tail;
    const tail = new Tail(Math.max(0, after - this.#span), lookback, this.#span);
    for (const row of this.#rowsFrom(tail.position + 1)) {
      if (row[0] > after) break;
      // A damaged chunk in here has cost an epoch already; its rows are missing from lookback for good.
      const chunk = this.#open(row);
      if (chunk !== undefined) tail.takeChunk(chunk, after);
    }
    tail.moved(after);
    this.#tail = tail;
    return tail;
  }

  /** The chunk that holds this stored number, or the next one, and all behind it. */
  #rowsFrom(at: number): IterableIterator<ChunkRow> {
    return this.#sql.from.iterate(at, at, at) as IterableIterator<ChunkRow>;
  }

  #open([first, last, body]: ChunkRow): Chunk | undefined {
    return readChunk(body, { partition: this.partition, first, last });
  }

  /** Gap, damaged chunk or hole: what is wrong at `position`, where `row` is what was found. */
  #unreadable(row: ChunkRow, position: number): Error {
    const [first, last, body] = row;
    if (first > position) return this.#missing(position);
    const gap = readGap(body, { partition: this.partition, first, last });
    if (gap !== undefined) return this.#damaged(position, last, gap.reason);
    // The row's own end may be a lie: the next one says better where it ends.
    const next = this.#sql.firstAfter.get(position) as [number | null] | undefined;
    const end = (next?.[0] ?? this.storedAppended + 1) - 1;
    const reason = 'a chunk is not what was written';
    return new DamagedRows({ first: position, last: Math.min(end, this.storedAppended), reason });
  }

  /** A hole that nobody has put there: the tree of the database is broken, and the rows may well be in the file. */
  #missing(position: number): JournalError {
    const first = position - this.storedBase;
    return new JournalError(
      'JOURNAL_DAMAGED',
      `Rows of ${this.stream} from ${first} on are missing, of ${this.appended} that were stored.`,
      { stream: this.stream, reason: 'rows were missing' },
    );
  }

  #damaged(first: number, last: number, reason: string): JournalError {
    const range = { first: first - this.storedBase, last: last - this.storedBase };
    return new JournalError(
      'JOURNAL_DAMAGED',
      `${this.stream} is damaged at ${range.first}..${range.last}: ${reason}.`,
      { stream: this.stream, range, reason },
    );
  }
}

/** Rows that are not what was written, and no gap yet. Stored numbers. */
export class DamagedRows extends Error {
  readonly first: number;
  readonly last: number;
  readonly reason: string;

  constructor(rows: { first: number; last: number; reason: string }) {
    super(rows.reason);
    this.first = rows.first;
    this.last = rows.last;
    this.reason = rows.reason;
  }
}

/** Exactly this text stands in every journal. */
export function createChunkTable(db: Database.Database, partition: number): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS chunk_${partition} (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, body BLOB NOT NULL) STRICT`,
  );
}

const inside = (chunk: Chunk, position: number): boolean =>
  chunk.first <= position && position <= chunk.last;

const statements = (db: Database.Database, partition: number) => {
  const table = `chunk_${partition}`;
  const raw = (sql: string) => db.prepare(sql).raw();
  return {
    insert: db.prepare(`INSERT INTO ${table} (first, last, body) VALUES (?, ?, ?)`),
    extent: raw(`SELECT min(first), max(last), coalesce(sum(length(body)), 0) FROM ${table}`),
    from: raw(
      `SELECT first, last, body FROM ${table} WHERE first >= coalesce(
         (SELECT first FROM (SELECT first, last FROM ${table} WHERE first <= ? ORDER BY first DESC LIMIT 1)
          WHERE last >= ?), ?) ORDER BY first`,
    ),
    chunkAt: raw(`SELECT first, last FROM ${table} WHERE first <= ? ORDER BY first DESC LIMIT 1`),
    nthFrom: raw(`SELECT first FROM ${table} WHERE first < ? ORDER BY first LIMIT 1 OFFSET ?`),
    bytesBefore: raw(`SELECT coalesce(sum(length(body)), 0) FROM ${table} WHERE first < ?`),
    remove: db.prepare(`DELETE FROM ${table} WHERE first < ?`),
    firstAfter: raw(`SELECT min(first) FROM ${table} WHERE first > ?`),
    bodies: raw(
      `SELECT first, last, body FROM ${table} WHERE first >= coalesce(
         (SELECT max(first) FROM ${table} WHERE first <= ?), ?) AND first <= ? ORDER BY first`,
    ),
    removeOne: db.prepare(`DELETE FROM ${table} WHERE first = ?`),
  };
};
