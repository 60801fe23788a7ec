import type { Journal } from './journal.ts';
import type { JournalKey, JournalPosition, JournalReading } from './port.ts';

interface Waiting {
  readings: readonly JournalReading[];
  key?: JournalKey;
  resolve(positions: JournalPosition[]): void;
  reject(error: unknown): void;
}

/** Joins what arrives in one turn of the event loop into one transaction: one fsync for all of it. */
export class GroupCommit {
  readonly #journal: Journal;
  #waiting: Waiting[] = [];

  constructor(journal: Journal, _options: { rowsMax?: number } = {}) {
    this.#journal = journal;
  }

  /** Resolves when the readings are fsynced. @throws JournalError as `Journal.append` does */
  append(readings: readonly JournalReading[], key?: JournalKey): Promise<JournalPosition[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ readings, ...(key && { key }), resolve, reject });
      setImmediate(() => this.flush());
    });
  }

  /** Commits now what waits. */
  flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    if (group.length === 0) return;
    const positions = this.#journal.appendAll(group);
    group.forEach((entry, index) => {
      entry.resolve(positions[index]!);
    });
  }
}
