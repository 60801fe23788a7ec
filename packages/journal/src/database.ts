import Database from 'better-sqlite3';
import { JournalError } from './errors.ts';
import { noteDamage } from './note-damage.ts';
import type { JournalOptions } from './port.ts';
import { STREAM_COPY_SQL } from './stream-line.ts';

/** Version of the tables, in `user_version`. */
export const SCHEMA = 1;

/** `HFJL`: tells a journal from any other SQLite file. */
export const APPLICATION_ID = 0x48464a4c;

/**
 * A single post dirties one page a partition, so small pages keep it cheap; larger chunks lie on overflow pages
 * whatever the size. 4,096 is also the block of flash and file systems.
 */
export const PAGE_BYTES = 4_096;

/**
 * 32 MB of write-ahead log before it is copied into the file. Readings live for seconds when the link is up: by then
 * most pages have been freed and used again, and each page is copied only in its last state. A small log would copy
 * every reading into the file just before it is deleted, and so write everything twice.
 */
export const LOG_BYTES = 32 * 1024 * 1024;

/** A restart may overlap with the end of the process before it; anything longer is a second process. */
export const LOCK_WAIT_MS = 500;

export interface DatabaseOptions {
  makeRoom?: (() => boolean) | undefined;
  logBytes?: number | undefined;
  /** Looks at a database before anything is written into it; throws when it is damaged. */
  verify?: (db: Database.Database) => void;
}

/**
 * Opens or creates the file. `locking_mode=EXCLUSIVE`: the lock is the operating system's, so it ends with the
 * process however that ends, while a lock row would need a guess at how old is dead. It also saves the shared-memory
 * file and a system call or two a transaction.
 */
export function openDatabase(path: string, options: DatabaseOptions = {}): Database.Database {
  try {
    return open(path, options);
  } catch (error) {
    if (codeOf(error) !== 'JOURNAL_DISK_FULL' || options.makeRoom?.() !== true) throw error;
    return open(path, options);
  }
}

function open(path: string, { logBytes = LOG_BYTES, verify }: DatabaseOptions): Database.Database {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { timeout: LOCK_WAIT_MS });
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma(`page_size = ${PAGE_BYTES}`);
    db.pragma('auto_vacuum = INCREMENTAL');
    db.pragma('journal_mode = WAL');
    // Every commit is fsynced: an acknowledged reading survives a power cut.
    db.pragma('synchronous = FULL');
    setLogBytes(db, logBytes);
    // 2 MB: rows are written once and mostly read once, in order.
    db.pragma('cache_size = -2000');
    // Everything up to here has written nothing into a file that is there already.
    verify?.(db);
    db.exec('BEGIN IMMEDIATE');
    prepareSchema(db, path);
    db.exec('COMMIT');
    // The process before may have ended because an fsync failed: then what is read here may be in the memory of the
    // system only. Copied into the file and synced, it is durable before anything is answered on the strength of it.
    db.pragma('wal_checkpoint(PASSIVE)');
    return db;
  } catch (error) {
    db?.close();
    throw asJournalError(error, path);
  }
}

/** Size at which the log is copied into the file; after a burst it is cut back to twice this. */
export function setLogBytes(db: Database.Database, logBytes: number): void {
  db.pragma(`wal_autocheckpoint = ${Math.floor(logBytes / PAGE_BYTES)}`);
  db.pragma(`journal_size_limit = ${2 * logBytes}`);
}

/** Inside a transaction. @throws JournalError JOURNAL_SCHEMA */
export function prepareSchema(db: Database.Database, path: string): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  const application = db.pragma('application_id', { simple: true }) as number;
  const tables = db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() as number;
  if (tables === 0 && version === 0) {
    db.exec(`
      CREATE TABLE setting (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
      CREATE TABLE stream (
        partition INTEGER PRIMARY KEY,
        epoch TEXT NOT NULL,
        base INTEGER NOT NULL,
        receipted INTEGER NOT NULL,
        lost INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE key (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        digest TEXT NOT NULL,
        result TEXT NOT NULL,
        at INTEGER NOT NULL
      ) STRICT;
    `);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA}`);
    extend(db);
    return;
  }
  if (application !== APPLICATION_ID) {
    throw new JournalError('JOURNAL_SCHEMA', `${path} is a SQLite file, but not a journal.`);
  }
  if (version > SCHEMA) {
    throw new JournalError(
      'JOURNAL_SCHEMA',
      `${path} has schema ${version}, and this version knows ${SCHEMA}: it was written by a newer one. Run that, or move the file away.`,
    );
  }
  extend(db);
}

/** What came later. A version that does not know it must be able to go on with it, so nothing here is required. */
function extend(db: Database.Database): void {
  const columns = db.pragma('table_info(key)') as { name: string }[];
  if (!columns.some(({ name }) => name === 'proof')) {
    db.exec('ALTER TABLE key ADD COLUMN proof TEXT');
  }
  db.exec(STREAM_COPY_SQL);
  // Rows that were written before there was a copy.
  db.exec(`UPDATE stream SET partition = partition
    WHERE partition NOT IN (SELECT partition FROM streamCopy)`);
}

export type InTransaction = <T>(work: () => T) => T;

/** Runs work in a transaction: durable when it returns, undone when it throws. */
export function transactions(db: Database.Database, path: string): InTransaction {
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const rollback = db.prepare('ROLLBACK');
  return (work) => {
    try {
      begin.run();
      const result = work();
      commit.run();
      return result;
    } catch (error) {
      if (db.inTransaction) rollback.run();
      throw asJournalError(error, path);
    }
  };
}

/**
 * For work that makes room or finishes what was promised: on a full disk it asks for room and tries once more. The
 * log goes into the file first: where the file has its pages already, the log then begins again in its own place and
 * needs no room at all, even when there is none to be had.
 */
export const withReserve =
  (
    inTransaction: InTransaction,
    { db, path, makeRoom }: { db: Database.Database } & Pick<JournalOptions, 'path' | 'makeRoom'>,
  ): InTransaction =>
  (work) => {
    try {
      return inTransaction(work);
    } catch (error) {
      if (codeOf(error) !== 'JOURNAL_DISK_FULL') throw error;
    }
    makeRoom?.();
    try {
      db.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      throw asJournalError(error, path);
    }
    return inTransaction(work);
  };

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

/** A length that no row of ours has, a page that is none, a tree that is broken. */
const BROKEN = /^SQLITE_(CORRUPT.*|NOTADB|TOOBIG|FORMAT|INTERNAL)$/;

/** What only damage can cause; the others: a statement of ours does not fit the tables and rows that are there. */
export function isDamage(error: unknown): boolean {
  const code = String(codeOf(error));
  const misfit = /^SQLITE_(ERROR|MISMATCH|CONSTRAINT.*|RANGE|SCHEMA)$/;
  return code === 'JOURNAL_DAMAGED' || BROKEN.test(code) || misfit.test(code);
}

/** The errors of SQLite that an owner can do something about, by code; everything else as it is. */
export function asJournalError(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown }).code;
  if (typeof code !== 'string') return error;
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new JournalError(
      'JOURNAL_LOCKED',
      `${path} is open in another process. Two writers would give numbers twice, so this one does not start.`,
      { cause: error },
    );
  }
  if (BROKEN.test(code)) {
    const reason = (error as Error).message;
    noteDamage(path, reason);
    const text = `${path} is damaged: ${reason}.`;
    return new JournalError('JOURNAL_DAMAGED', text, { reason, cause: error });
  }
  if (code.startsWith('SQLITE_FULL')) {
    const text = `The disk of ${path} is full. Nothing of this request was stored.`;
    return new JournalError('JOURNAL_DISK_FULL', text, { cause: error });
  }
  if (/^SQLITE_(IOERR|CANTOPEN|READONLY)/.test(code)) {
    const text = `The disk of ${path} fails (${code}: ${(error as Error).message}). Look at the disk, its mount and the rights of the folder.`;
    return new JournalError('JOURNAL_DISK', text, { cause: error });
  }
  return error;
}
