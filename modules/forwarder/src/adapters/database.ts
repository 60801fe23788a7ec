import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { isDiskFailure, isDiskFull } from './disk-errors.ts';
import { prepareSchema } from './schema.ts';

/**
 * Log beyond which it is copied into the database: pages that each batch touches are written back less often. Copied
 * and cut in one step, never by SQLite in passing: a log that is already copied but not yet cut would, if its end were
 * lost, lay old pages over new ones.
 */
export const LOG_BYTES = 16 * 1024 * 1024;

export interface DatabaseOptions {
  /** Called when the disk is full; true when that has made room. */
  giveUpReserve?(): boolean;
}

/**
 * Opens the database file with SQLite, made anew when missing, and brings its tables up to date. Every commit is on disk
 * when it returns. Does not look for damage: that is `openStore`.
 * @throws ForwarderError FWD_STORE_NEWER, FWD_STORE_DAMAGED, and what SQLite throws
 */
export function openDatabase(file: string, options: DatabaseOptions = {}): Database.Database {
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    return open(file);
  } catch (error) {
    // On a full disk the files beside the database cannot be made either.
    const full = isDiskFull(error) || isDiskFailure(error);
    if (!full || options.giveUpReserve?.() !== true) throw error;
    return open(file);
  }
}

function open(file: string): Database.Database {
  const db = new Database(file);
  try {
    // Takes effect in a new file only; an older one keeps its free pages for itself.
    db.pragma('auto_vacuum = INCREMENTAL');
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

/** Copies the log into the database and cuts it. Not inside a transaction. @throws what SQLite throws */
export function copyLog(db: Database.Database): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
}

/** Size of the log, in bytes. */
export const logBytesOf = (db: Database.Database): number =>
  statSync(`${db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
