import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { ChunkSearch } from './chunk-search.ts';
import { DamagedPages } from './damaged-pages.ts';
import { PAGE_BYTES, prepareSchema } from './database.ts';
import { hasRollback, headOf } from './file-head.ts';
import { writeGap } from './gap.ts';
import { IdempotencyKeys } from './idempotency-keys.ts';
import { keysIn } from './key-proof.ts';
import { type FoundMark, markPath, readMark } from './mark.ts';
import { forgetDamage } from './note-damage.ts';
import { createChunkTable, type StreamRow } from './partition.ts';
import type { JournalGap, JournalOptions } from './port.ts';
import { type Quarantined, quarantine } from './quarantine.ts';
import { streamLinesIn } from './stream-line.ts';
import { LOOKBACK_SPAN } from './tail.ts';
import { walkWal } from './wal.ts';

/** What a salvage came to. */
export interface SalvageReport {
  /** What was found wrong. */
  reason: string;
  /** Readings without receipt that were saved, and rows that could not be, by stream and range. */
  saved: number;
  gaps: JournalGap[];
  /** Idempotency keys saved. */
  keys: number;
  quarantined: Quarantined | undefined;
  tookMs: number;
}

/** A copy of the log as it was before SQLite opened it, which drops whatever stands behind a broken frame. */
export const tornWalPath = (path: string): string => `${path}-wal-torn`;
const freshPath = (path: string): string => `${path}-salvaging`;
/** Complete and on disk: it takes the place of the damaged one, now or after the next start. */
const donePath = (path: string): string => `${path}-salvaged`;

/**
 * Builds a new journal from everything in the damaged one that proves itself, and puts the damaged files aside. Rows
 * that should be there and are not become gaps. Power may fail at any moment: until the new one is complete the
 * damaged files are as they were, and from then on the next start finishes the exchange.
 */
export function salvage(options: JournalOptions, reason: string): SalvageReport {
  const startMs = performance.now();
  const { path, wallMs } = options;
  const mark = readMark(path);
  const torn = tornWalPath(path);
  const wal = walkWal(existsSync(torn) ? torn : `${path}-wal`);
  const pages = new DamagedPages(path, wal);
  const fresh = freshDatabase(freshPath(path));
  let built: Pick<SalvageReport, 'saved' | 'gaps' | 'keys'>;
  try {
    built = new Rebuild(fresh, options, mark, reason).from(pages);
  } finally {
    pages.close();
    fresh.close();
  }
  fsync(freshPath(path));
  renameSync(freshPath(path), donePath(path));
  fsync(dirname(path));
  const quarantined = finishSalvage(path, wallMs());
  return { reason, ...built, quarantined, tookMs: Math.round(performance.now() - startMs) };
}

/** Puts a complete salvaged journal in the place of the damaged one; nothing to do when there is none. */
export function finishSalvage(path: string, wallMs: number): Quarantined | undefined {
  if (!existsSync(donePath(path))) return undefined;
  const wal = existsSync(tornWalPath(path)) ? tornWalPath(path) : `${path}-wal`;
  const put = quarantine([path, wal, markPath(path)], wallMs);
  for (const rest of [`${path}-wal`, `${path}-shm`, tornWalPath(path)])
    rmSync(rest, { force: true });
  fsync(dirname(path));
  renameSync(donePath(path), path);
  fsync(dirname(path));
  forgetDamage(path);
  return put;
}

function freshDatabase(path: string): Database.Database {
  for (const suffix of ['', '-wal', '-journal']) rmSync(path + suffix, { force: true });
  const db = new Database(path);
  db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma('auto_vacuum = INCREMENTAL');
  // Until it is complete nobody reads it, so there is nothing to protect.
  db.pragma('journal_mode = OFF');
  db.pragma('synchronous = OFF');
  db.exec('BEGIN');
  prepareSchema(db, path);
  db.exec('COMMIT');
  return db;
}

function fsync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The steps of building the new database. */
class Rebuild {
  readonly #db: Database.Database;
  readonly #options: JournalOptions;
  readonly #mark: FoundMark | undefined;
  readonly #reason: string;
  readonly #partitions: number;
  readonly #rows = new Map<number, StreamRow>();
  #keys = 0;

  constructor(
    db: Database.Database,
    options: JournalOptions,
    mark: FoundMark | undefined,
    reason: string,
  ) {
    this.#db = db;
    this.#options = options;
    this.#mark = mark;
    this.#reason = reason;
    this.#partitions = mark?.streams.length ?? options.partitions;
  }

  from(pages: DamagedPages): Pick<SalvageReport, 'saved' | 'gaps' | 'keys'> {
    this.#db.exec('BEGIN');
    this.#collect(pages);
    const mark = this.#boundMark();
    const gaps: JournalGap[] = [];
    let saved = 0;
    let sure = mark?.exact === true;
    for (let partition = 0; partition < this.#partitions; partition += 1) {
      const marked = mark?.streams[partition];
      const row = this.#position(partition, mark);
      this.#keep(row, mark?.lookback ?? 0);
      const found = this.#extent(partition);
      // An older version has gone on after this mark was made.
      if (marked !== undefined && found > marked.appended) sure = false;
      const appended = Math.max(found, marked?.appended ?? 0, row.receipted);
      const lost = this.#fillHoles(row, appended);
      gaps.push(...lost);
      saved += appended - row.receipted - lost.reduce((sum, gap) => sum + gap.count, 0);
      this.#db
        .prepare(
          'INSERT INTO stream (partition, epoch, base, receipted, lost) VALUES (?, ?, ?, ?, ?)',
        )
        .run(partition, row.epoch, row.base, row.receipted, row.lost);
    }
    const set = this.#db.prepare('INSERT INTO setting (name, value) VALUES (?, ?)');
    if (mark !== undefined && mark.lookback > 0) set.run('lookback', mark.lookback);
    // More may have been lost at the end than anybody knows: what comes next gets other numbers.
    for (const { partition, receipted } of sure ? [] : this.#rows.values()) {
      set.run(`barrier_${partition}`, Math.max(this.#extent(partition), receipted));
    }
    this.#db.exec('COMMIT');
    return { saved, gaps, keys: this.#keys };
  }

  /** Everything that proves itself, on whatever page. */
  #collect(pages: DamagedPages): void {
    const inserts = Array.from({ length: this.#partitions }, (_, partition) => {
      createChunkTable(this.#db, partition);
      return this.#db.prepare(
        `INSERT OR IGNORE INTO chunk_${partition} (first, last, body) VALUES (?, ?, ?)`,
      );
    });
    const keys = new IdempotencyKeys(this.#db, { ageMsMax: 0, countMax: 0 });
    const search = new ChunkSearch(pages, this.#partitions);
    for (const image of pages.images()) {
      for (const { partition, first, last, body } of search.in(image)) {
        inserts[partition]!.run(first, last, body);
      }
      for (const row of streamLinesIn(image.bytes)) this.#know(row);
      for (const key of keysIn(image.bytes)) keys.put(key);
    }
    this.#keys = this.#db.prepare('SELECT count(*) FROM key').pluck().get() as number;
  }

  /** Of several states of a stream the latest: none of these numbers ever falls. */
  #know(row: StreamRow): void {
    if (row.partition >= this.#partitions) return;
    const known = this.#rows.get(row.partition);
    if (known === undefined || isLater(row, known)) this.#rows.set(row.partition, row);
  }

  #boundMark(): FoundMark | undefined {
    const mark = this.#mark;
    if (mark === undefined || this.#rows.size === 0) return mark;
    const known = mark.streams.some(({ epoch }, index) => this.#rows.get(index)?.epoch === epoch);
    return known ? mark : undefined;
  }

  #position(partition: number, mark: FoundMark | undefined): StreamRow {
    const marked = mark?.streams[partition];
    if (marked !== undefined) {
      const { epoch, base, receipted, lost } = marked;
      this.#know({ partition, epoch, base, receipted, lost });
    }
    const known = this.#rows.get(partition);
    if (known !== undefined) return known;
    // Nobody knows what the stream was called: all that is there goes out under a new name.
    const first = this.#db.prepare(`SELECT min(first) FROM chunk_${partition}`).pluck().get();
    const base = ((first as number | null) ?? 1) - 1;
    return { partition, epoch: this.#options.newEpoch(), base, receipted: base, lost: 0 };
  }

  /** Drops what was receipted long ago and was still to be found, and what overlaps. */
  #keep({ partition, receipted }: StreamRow, lookback: number): void {
    const table = `chunk_${partition}`;
    const { lookbackSpan = LOOKBACK_SPAN } = this.#options;
    const from = receipted + 1 - (lookback > 0 ? lookbackSpan : 0);
    this.#db.prepare(`DELETE FROM ${table} WHERE last < ?`).run(from);
    const chunks = this.#db
      .prepare(`SELECT first, last FROM ${table} ORDER BY first`)
      .raw()
      .iterate() as IterableIterator<[number, number]>;
    const overlapping: number[] = [];
    let next = 0;
    for (const [first, last] of chunks) {
      if (first < next) overlapping.push(first);
      else next = last + 1;
    }
    const remove = this.#db.prepare(`DELETE FROM ${table} WHERE first = ?`);
    for (const first of overlapping) remove.run(first);
  }

  #extent(partition: number): number {
    const last = this.#db.prepare(`SELECT max(last) FROM chunk_${partition}`).pluck().get();
    return (last as number | null) ?? 0;
  }

  /** Puts gaps where rows are missing that have no receipt. */
  #fillHoles(row: StreamRow, appended: number): JournalGap[] {
    const { partition, receipted, base } = row;
    const holes: { first: number; last: number }[] = [];
    let next = receipted + 1;
    const chunks = this.#db
      .prepare(`SELECT first, last FROM chunk_${partition} WHERE last > ? ORDER BY first`)
      .raw()
      .iterate(receipted) as IterableIterator<[number, number]>;
    for (const [first, last] of chunks) {
      if (first > next) holes.push({ first: next, last: first - 1 });
      next = Math.max(next, last + 1);
    }
    if (next <= appended) holes.push({ first: next, last: appended });
    const foundMs = this.#options.wallMs();
    const stream = `${this.#options.streamPrefix}-${partition}`;
    const insert = this.#db.prepare(
      `INSERT INTO chunk_${partition} (first, last, body) VALUES (?, ?, ?)`,
    );
    return holes.map(({ first, last }) => {
      const place = { partition, first, last };
      insert.run(first, last, writeGap(place, { reason: this.#reason, foundMs }));
      const { epoch } = row;
      return { stream, epoch, first: first - base, last: last - base, count: last - first + 1 };
    });
  }
}

const isLater = (a: StreamRow, b: StreamRow): boolean => {
  if (a.base !== b.base) return a.base > b.base;
  if (a.receipted !== b.receipted) return a.receipted > b.receipted;
  return a.lost >= b.lost;
};

/** What is wrong before SQLite has seen the files; undefined when nothing is. */
export function troubleBefore(path: string, mark: FoundMark | undefined): string | undefined {
  const wal = walkWal(`${path}-wal`);
  const head = headOf(path);
  if (head.length === 0) {
    const known = mark?.streams.some(({ appended }) => appended > 0) ?? false;
    if (known || (wal?.frames.length ?? 0) > 0) return 'the file is empty or gone';
    return undefined;
  }
  // The power failed while the file was being made, before it was a journal: SQLite undoes that by itself.
  if (hasRollback(path)) return undefined;
  if (head.toString('latin1', 0, 16) !== 'SQLite format 3\0') return 'the file has no header';
  if (head.readUInt16BE(16) !== PAGE_BYTES) return 'the header names another size of pages';
  if (wal?.broken) return 'acknowledged frames of the log are broken';
  return undefined;
}
