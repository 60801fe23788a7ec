import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from '@jest/globals';
import Database from 'better-sqlite3';
import { Journal } from '../journal.ts';
import type { JournalOptions, JournalReading } from '../port.ts';

/** Time of the first reading in tests. */
export const T0 = Date.UTC(2026, 0, 1);

export const aReading = (
  asset: string,
  t: number,
  ...values: (number | null)[]
): JournalReading => ({ asset, signals: values.map((_, index) => `s${index}`), t: T0 + t, values });

/** Rows of one asset, one millisecond apart. */
export const someRows = (count: number, asset = 'a', from = 0): JournalReading[] =>
  Array.from({ length: count }, (_, index) =>
    aReading(asset, from + index, (from + index) / 10, null),
  );

export const errorOf = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

export const codeOf = (work: () => unknown): string | undefined =>
  (errorOf(work) as { code: string } | undefined)?.code;

/** A temporary folder for each test of a file, with a journal in it; all of it goes after the test. */
export class JournalFolder {
  path = '';
  #folder = '';
  #epochs = 0;
  #opened: Journal[] = [];

  constructor() {
    beforeEach(() => {
      this.#folder = mkdtempSync(join(tmpdir(), 'journal-'));
      this.#epochs = 0;
      this.use('journal.db');
    });
    afterEach(() => {
      this.close();
      rmSync(this.#folder, { recursive: true });
    });
  }

  /** From here on `path` is another file of the folder. */
  use(file: string): void {
    this.path = join(this.#folder, file);
  }

  readonly open = (options: Partial<JournalOptions> = {}): Journal => {
    const journal = Journal.open({
      path: this.path,
      partitions: 1,
      streamPrefix: 'ingest',
      newEpoch: () => `epoch-${this.#epochs++}`,
      wallMs: () => 1_000,
      ...options,
    });
    this.#opened.push(journal);
    return journal;
  };

  close(): void {
    for (const journal of this.#opened) journal.close();
  }

  /** Closes the journal and lets something look at its database, or damage it. */
  inDatabase<T>(work: (db: Database.Database) => T): T {
    this.close();
    const db = new Database(this.path);
    try {
      return work(db);
    } finally {
      db.close();
    }
  }
}
