import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { prepareSchema } from './schema.ts';

/**
 * Log beyond which it is copied into the database: pages that each batch touches are written back less often. Copied
 * and cut in one step, never by SQLite in passing: a log that is already copied but not yet cut would, if its end were
 * lost, lay old pages over new ones.
 */
const LOG_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Opens the database file with SQLite, made anew when missing, and brings its tables up to date. Every commit is on disk
 * when it returns. Does not look for damage: that is `openStore`.
 * @throws ForwarderError FWD_STORE_NEWER, FWD_STORE_DAMAGED, and what SQLite throws
 */
export function openDatabase(file: string): Database.Database {
  mkdirSync(path.dirname(file), { recursive: true });
  const db = new Database(file);
  try {
    db.pragma('journal_mode = WAL');
    // FULL: the write-ahead log is synced at each commit, so a power cut takes nothing that a receipt covers.
    db.pragma('synchronous = FULL');
    // 4 MiB of pages: enough for the hot end of each table; memory must not grow with the backlog.
    db.pragma('cache_size = -4096');
    db.pragma('wal_autocheckpoint = 0');
    db.pragma('cell_size_check = ON');
    prepareSchema(db, file);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A second connection for queries: it never waits for the writer, nor the writer for it. */
export function openForReading(file: string): Database.Database {
  const db = new Database(file, { readonly: true });
  db.pragma('cache_size = -2048');
  return db;
}

/** Copies the log into the database when it has grown large. After a commit. */
export function boundLog(db: Database.Database): void {
  const { size } = statSync(`${db.name}-wal`, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size > LOG_BYTES_MAX) db.pragma('wal_checkpoint(TRUNCATE)');
}
