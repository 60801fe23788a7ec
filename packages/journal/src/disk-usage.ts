import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { PAGE_BYTES, setLogBytes } from './database.ts';

/** What the journal takes on disk. */
export class DiskUsage {
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #usedPages: Database.Statement;

  constructor(db: Database.Database, path: string) {
    this.#db = db;
    this.#path = path;
    this.#usedPages = db
      .prepare('SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count')
      .pluck();
  }

  /** Of the pages that hold something; the others are used again before the file grows. */
  get usedBytes(): number {
    return Number(this.#usedPages.get()) * PAGE_BYTES;
  }

  /** File and write-ahead log. */
  get sizeBytes(): number {
    const size = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return size(this.#path) + size(`${this.#path}-wal`);
  }

  /** Size of the write-ahead log at which it is copied into the file, from now on. */
  setLogBytes(bytes: number): void {
    setLogBytes(this.#db, bytes);
  }
}
