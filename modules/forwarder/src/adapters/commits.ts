import type Database from 'better-sqlite3';
import { ForwarderError } from '../errors.ts';
import { copyLog, logBytesOf } from './database.ts';
import { codeOf, isDiskFailure, isDiskFull } from './disk-errors.ts';
import { proofOf, provenTransaction } from './proof.ts';

/** Runs work in one transaction that is on disk when this returns; undone when it throws. */
export type Commit = <T>(work: () => T) => T;

export interface CommitsOptions {
  db: Database.Database;
  /** Size at which the write-ahead log is copied into the database. */
  logBytes(): number;
  /** Called when the disk is full; true when that has made room. */
  giveUpReserve(): boolean;
  fatal(error: Error): never;
}

/**
 * Every write of the forwarder. A full disk costs the reserve, and the work is done then: all of it keeps a promise,
 * settles a delivery or makes room; new batches are kept away before. A disk that fails ends the process: what the
 * transaction has left there is not known, least of all after a failed fsync, and the next process makes all that it
 * finds durable before it goes on.
 */
export class Commits {
  readonly #options: CommitsOptions;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  /**
   * @param undo takes back what a first, failed try has left in memory
   * @throws ForwarderError FWD_DISK_FULL: nothing was written, try again when there is room
   */
  run<T>(work: () => T, undo: () => void = () => {}): T {
    const result = this.#paid(() => provenTransaction(this.#options.db, work), undo);
    this.#boundLog();
    return result;
  }

  /**
   * Before a blob leaves: brings all that led to it into the database itself, and the proof beside it. Then a log, or a
   * database, that is lost afterwards takes back only what nobody outside has seen.
   * @throws ForwarderError FWD_DISK_FULL
   */
  settle(): void {
    const { db } = this.#options;
    this.#paid(() => {
      copyLog(db);
      proofOf(db).keepAside();
    });
  }

  /** The commit is on disk, so a full disk may keep the log long a while; the next commit tries again. */
  #boundLog(): void {
    const { db, logBytes } = this.#options;
    if (logBytesOf(db) <= logBytes()) return;
    try {
      this.#paid(() => copyLog(db));
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  }

  /** Does something that a full disk may refuse, if need be at the price of the reserve. */
  #paid<T>(what: () => T, undo: () => void = () => {}): T {
    try {
      return what();
    } catch (error) {
      if (!isDiskFull(error)) throw this.#asError(error);
    }
    undo();
    this.#options.giveUpReserve();
    try {
      // Where the file has its pages already, the log then begins again in its own place and needs no room at all.
      copyLog(this.#options.db);
      return what();
    } catch (error) {
      throw this.#asError(error);
    }
  }

  #asError(error: unknown): unknown {
    const { message } = error as Error;
    if (isDiskFull(error)) {
      const hint = 'make room on the volume of the data folder; it goes on by itself';
      return new ForwarderError('FWD_DISK_FULL', 'the disk is full', hint, error);
    }
    if (!isDiskFailure(error)) return error;
    const text = `a commit failed (${codeOf(error)}): ${message}`;
    const hint = 'look at the disk, its mount and the rights of the data folder';
    return this.#options.fatal(new ForwarderError('FWD_COMMIT_FAILED', text, hint, error));
  }
}
