import { copyFileSync, linkSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { asJournalError, isDamage, LOCK_WAIT_MS, openDatabase } from './database.ts';
import { JournalError } from './errors.ts';
import { readMark } from './mark.ts';
import { damageNoted } from './note-damage.ts';
import type { JournalOptions } from './port.ts';
import {
  finishSalvage,
  type SalvageReport,
  salvage,
  tornWalPath,
  troubleBefore,
} from './salvage.ts';
import { verifyJournal } from './verify.ts';
import { walkWal } from './wal.ts';

export interface OpenedJournal {
  db: Database.Database;
  salvage: SalvageReport | undefined;
  /** Something stood behind the last whole transaction, and nobody can say whether it was acknowledged. */
  uncertainEnd: boolean;
}

/**
 * Opens a journal in whatever state its files are. What is damaged is salvaged into a new one first; that never needs
 * a person and never fails for what is in the files.
 * @throws JournalError JOURNAL_LOCKED, JOURNAL_SCHEMA, JOURNAL_DISK, JOURNAL_DISK_FULL
 */
export function openJournal(options: JournalOptions): OpenedJournal {
  const { path } = options;
  finishSalvage(path, options.wallMs());
  let trouble = troubleBefore(path, readMark(path)) ?? damageNoted(path);
  if (trouble !== undefined) {
    // A process that is just ending may have been seen in the middle of a write.
    refuseWhenLocked(path);
    trouble = troubleBefore(path, readMark(path)) ?? damageNoted(path);
  }
  if (trouble === undefined) {
    const opened = openWhole(options);
    if (typeof opened !== 'string') return opened;
    trouble = opened;
  }
  const report = salvageWithRoom(options, trouble);
  const db = openDatabase(path, { ...options, verify: (fresh) => verifyJournal(fresh, path) });
  return { db, salvage: report, uncertainEnd: false };
}

/** The new journal needs room beside the damaged one; until there is some, everything stays as it is. */
function salvageWithRoom(options: JournalOptions, trouble: string): SalvageReport {
  try {
    return salvage(options, trouble);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== 'ENOSPC' && code !== 'SQLITE_FULL') throw asJournalError(error, options.path);
    if (options.makeRoom?.() === true) return salvage(options, trouble);
    const text = `${options.path} is damaged, and the disk has no room for what can be saved. Nothing was changed.`;
    throw new JournalError('JOURNAL_DISK_FULL', text, { cause: error });
  }
}

/** What is wrong, if something is; the files then are as good for a salvage as they were before. */
function openWhole(options: JournalOptions): OpenedJournal | string {
  const { path } = options;
  const mark = readMark(path);
  const torn = walkWal(`${path}-wal`)?.torn === true;
  if (torn) copyFileSync(`${path}-wal`, tornWalPath(path));
  try {
    const verify = (found: Database.Database): void => verifyJournal(found, path, mark);
    const db = openDatabase(path, { ...options, verify });
    rmSync(tornWalPath(path), { force: true });
    return { db, salvage: undefined, uncertainEnd: torn && mark?.exact !== true };
  } catch (error) {
    if (isDamage(error)) return reasonOf(error);
    rmSync(tornWalPath(path), { force: true });
    throw error;
  }
}

/**
 * Asks for the lock under another name of the same file, so that SQLite does not look at the log: closing a log that
 * is broken destroys what stands behind the break.
 */
function refuseWhenLocked(path: string): void {
  const name = `${path}-lock`;
  rmSync(name, { force: true });
  try {
    linkSync(path, name);
  } catch {
    // No file, or a file system without links: nobody has it open, or nobody can tell.
    return;
  }
  let db: Database.Database | undefined;
  try {
    db = new Database(name, { timeout: LOCK_WAIT_MS });
    db.pragma('locking_mode = EXCLUSIVE');
    db.exec('BEGIN EXCLUSIVE; ROLLBACK');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code?.startsWith('SQLITE_BUSY')) {
      const message = `${path} is open in another process. Two writers would give numbers twice, so this one does not start.`;
      throw new JournalError('JOURNAL_LOCKED', message, { cause: error });
    }
  } finally {
    db?.close();
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(name + suffix, { force: true });
  }
}

const reasonOf = (error: unknown): string =>
  (error as JournalError).reason ?? (error as Error).message;
