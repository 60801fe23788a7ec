import path from 'node:path';
import Database from 'better-sqlite3';
import { numberOfReading, SIGNALS } from './readings.ts';

/** Name of every peer's database in its store. */
const FILE = 'readings.db';

/**
 * An empty database. `wal`: write-ahead log, a mode that SQLite keeps in the file; it is synced at each commit by the
 * default of `synchronous`, which is FULL.
 */
export function createDatabase(folder: string, wal: boolean): string {
  const file = path.join(folder, FILE);
  const db = new Database(file);
  if (wal) db.pragma('journal_mode = WAL');
  db.close();
  return file;
}

/** The table that the peers store into. `key`: a reading that comes twice is stored once. */
export function createTable(folder: string, options: { key: boolean; wal: boolean }): string {
  const file = createDatabase(folder, options.wal);
  const db = new Database(file);
  const columns = SIGNALS.map((signal) => `"${signal}" REAL`).join(', ');
  const key = options.key ? ', UNIQUE (asset, t)' : '';
  db.exec(`CREATE TABLE readings (asset TEXT, t INTEGER, ${columns}, score REAL${key})`);
  db.close();
  return file;
}

/**
 * Counts the rows of a table while others write: one short look at the end of the table on a connection that stays
 * open, since a writer of a rollback journal has to wait for a reader. 0 before there is
 * a table; undefined when it cannot look now.
 */
export class RowCount {
  readonly #file: string;
  #ask: Database.Statement | undefined;
  #db: Database.Database | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  now(): number | undefined {
    try {
      this.#db ??= new Database(this.#file, { readonly: true, timeout: 20 });
      this.#ask ??= this.#db.prepare('SELECT max(rowid) FROM readings').pluck();
      return Number(this.#ask.get() ?? 0);
    } catch (error) {
      return String(error).includes('no such table') ? 0 : undefined;
    }
  }

  close(): void {
    this.#db?.close();
  }
}

/** Numbers of all readings in the table. @throws Error of SQLite when the file cannot be read */
export function numbersIn(file: string): number[] {
  const db = new Database(file, { timeout: 10_000 });
  try {
    const known = "SELECT count(*) FROM sqlite_master WHERE name = 'readings'";
    if (db.prepare(known).pluck().get() === 0) return [];
    const rows = db.prepare('SELECT asset, t FROM readings').raw().all() as [string, number][];
    return rows.map(([asset, t]) => numberOfReading(asset, t));
  } finally {
    db.close();
  }
}
