import { randomUUID } from 'node:crypto';
import type Database from 'better-sqlite3';
import type { Commit } from './commits.ts';

/** Small facts about this database. */
export class Meta {
  readonly #db: Database.Database;
  readonly #commit: Commit;

  constructor(db: Database.Database, commit: Commit) {
    this.#db = db;
    this.#commit = commit;
  }

  get(key: string): string | undefined {
    return this.#db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key) as
      | string
      | undefined;
  }

  set(key: string, value: string): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    this.#commit(() => put.run(key, value));
  }

  /** Identity of this database, made with it. */
  origin(): string {
    const known = this.get('origin');
    if (known !== undefined) return known;
    const origin = randomUUID().slice(0, 8);
    this.set('origin', origin);
    return origin;
  }
}
