import type Database from 'better-sqlite3';
import { ForwarderError } from '../errors.ts';

/** Runs work in one transaction that is on disk when this returns; undone when it throws. */
export type Commit = <T>(work: () => T) => T;

export interface CommitsOptions {
  db: Database.Database;
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
    try {
      return this.#once(work);
    } catch (error) {
      if (!isDiskFull(error) || !this.#options.giveUpReserve()) throw this.#asError(error);
    }
    undo();
    try {
      // The log goes into the file first: most of what follows needs no room then.
      this.#options.db.pragma('wal_checkpoint(PASSIVE)');
      return this.#once(work);
    } catch (error) {
      throw this.#asError(error);
    }
  }

  #once<T>(work: () => T): T {
    return this.#options.db.transaction(work)();
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

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code);

export const isDiskFull = (error: unknown): boolean =>
  ['SQLITE_FULL', 'FWD_DISK_FULL'].includes(codeOf(error));

/** What SQLite says of a disk that does not do what it should. */
export const isDiskFailure = (error: unknown): boolean =>
  /^SQLITE_(IOERR|CANTOPEN|READONLY)/.test(codeOf(error));
