import { isDamage, quarantine } from '@holdfast/journal';
import Database from 'better-sqlite3';
import type { Refusal } from '../domain/intake.ts';
import type { SourceName } from './source.ts';

/** A refused row as it is kept, for a person to look at. */
export interface Reject {
  /** When it was refused, wall clock in ms since 1970. */
  timeMs: number;
  source: SourceName;
  code: string;
  /** Row, line or file, as far as the source knows. */
  place: string;
  path: string;
  value: string | null;
  allowed: string;
}

/** Rows kept; older ones go. Enough to see a pattern, too few to fill a disk. */
export const REJECTS_KEPT_MAX = 1_000;
const TEXT_LENGTH_MAX = 300;
const FLUSH_MS = 250;

/** Its log is copied into the file at 100 pages, so that a flood of bad rows takes 2 MB of disk and not more. */
const LOG_PAGES = 100;

/**
 * The last refused rows, in a database of their own so that bad input never slows down good input. Written a
 * quarter of a second late and without fsync: a power cut may lose the newest, which is no reading. A disk that is
 * full or fails never stops the module for it: the newest rows stay in memory and are written when that works again.
 * A damaged file is put aside.
 */
export class RejectLog {
  readonly #path: string;
  readonly #onTrouble: (error: Error) => void;
  #database: RejectDatabase | undefined;
  #waiting: Reject[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param onTrouble told at each failure to write */
  constructor(path: string, onTrouble: (error: Error) => void = () => {}) {
    this.#path = path;
    this.#onTrouble = onTrouble;
    this.#write([]);
  }

  add(refusals: readonly Refusal[], from: { source: SourceName; timeMs: number; what: string }) {
    for (const refusal of refusals) {
      const { row, line, code, path, value, allowed } = refusal;
      let place = from.what;
      if (line !== undefined) place = `${place} line ${line}`;
      else if (row !== undefined) place = `${place} row ${row}`;
      this.#waiting.push({
        timeMs: from.timeMs,
        source: from.source,
        code,
        place: place.trim().slice(0, TEXT_LENGTH_MAX),
        path: path.slice(0, TEXT_LENGTH_MAX),
        value: value?.slice(0, TEXT_LENGTH_MAX) ?? null,
        allowed: allowed.slice(0, TEXT_LENGTH_MAX),
      });
    }
    this.#keepNewest();
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  /** The newest first. */
  list(limit = REJECTS_KEPT_MAX): Reject[] {
    this.flush();
    let stored: Reject[] = [];
    try {
      stored = this.#database?.newest(limit) ?? [];
    } catch (error) {
      this.#failed(error);
    }
    return [...this.#waiting.toReversed(), ...stored].slice(0, limit);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#write(waiting)) return;
    this.#waiting = [...waiting, ...this.#waiting];
    this.#keepNewest();
  }

  close(): void {
    this.flush();
    this.#database?.close();
  }

  /** False when the disk did not take them. */
  #write(rejects: readonly Reject[]): boolean {
    try {
      this.#database ??= new RejectDatabase(this.#path);
      this.#database.add(rejects);
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  /** Whatever it was, a new connection knows nothing of it. */
  #failed(error: unknown): void {
    const database = this.#database;
    this.#database = undefined;
    this.#onTrouble(error as Error);
    try {
      database?.close();
    } catch {
      // It is given up anyway.
    }
    if (isDamage(error)) this.#putAside();
  }

  /** What was kept is for a person to look at, and no reading: a damaged file makes room for a new one. */
  #putAside(): void {
    try {
      quarantine([this.#path, `${this.#path}-wal`, `${this.#path}-shm`], Date.now());
    } catch (error) {
      this.#onTrouble(error as Error);
    }
  }

  #keepNewest(): void {
    if (this.#waiting.length > REJECTS_KEPT_MAX) {
      this.#waiting = this.#waiting.slice(-REJECTS_KEPT_MAX);
    }
  }
}

class RejectDatabase {
  readonly #db: Database.Database;
  readonly #insert: Database.Statement<unknown[]>;
  readonly #trim: Database.Statement<unknown[]>;
  readonly #select: Database.Statement<unknown[], Reject>;

  constructor(path: string) {
    this.#db = new Database(path);
    this.#db.pragma('journal_mode = WAL');
    // NORMAL: synced around checkpoints only. Without that a power cut would damage the file, and stop the next start.
    this.#db.pragma('synchronous = NORMAL');
    this.#db.pragma(`wal_autocheckpoint = ${LOG_PAGES}`);
    this.#db.exec(
      `CREATE TABLE IF NOT EXISTS rejects (id INTEGER PRIMARY KEY AUTOINCREMENT, timeMs INTEGER NOT NULL,
       source TEXT NOT NULL, code TEXT NOT NULL, place TEXT NOT NULL, path TEXT NOT NULL, value TEXT,
       allowed TEXT NOT NULL) STRICT`,
    );
    this.#insert = this.#db.prepare(
      'INSERT INTO rejects (timeMs, source, code, place, path, value, allowed) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#trim = this.#db.prepare(
      'DELETE FROM rejects WHERE id <= (SELECT MAX(id) FROM rejects) - ?',
    );
    this.#select = this.#db.prepare(
      'SELECT timeMs, source, code, place, path, value, allowed FROM rejects ORDER BY id DESC LIMIT ?',
    );
  }

  newest(limit: number): Reject[] {
    return this.#select.all(limit);
  }

  add(rejects: readonly Reject[]): void {
    this.#db.transaction(() => {
      for (const { timeMs, source, code, place, path, value, allowed } of rejects) {
        this.#insert.run(timeMs, source, code, place, path, value, allowed);
      }
      this.#trim.run(REJECTS_KEPT_MAX);
    })();
  }

  close(): void {
    this.#db.close();
  }
}
