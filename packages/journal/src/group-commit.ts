import type { Journal } from './journal.ts';
import type { JournalKey, JournalPosition, JournalReading } from './port.ts';

/** Rows that wait before a group is committed without waiting for the end of the turn: a few milliseconds of work. */
const ROWS_MAX = 8_192;

interface Waiting {
  readings: readonly JournalReading[];
  key?: JournalKey;
  resolve(positions: JournalPosition[]): void;
  reject(error: unknown): void;
}

/**
 * Joins what arrives in one turn of the event loop into one transaction: many small posts share one fsync, and a
 * lone one does not wait for company.
 */
export class GroupCommit {
  readonly #journal: Journal;
  readonly #rowsMax: number;
  #waiting: Waiting[] = [];
  #rows = 0;
  #turn: NodeJS.Immediate | undefined;

  constructor(journal: Journal, options: { rowsMax?: number } = {}) {
    this.#journal = journal;
    this.#rowsMax = options.rowsMax ?? ROWS_MAX;
  }

  /** Resolves when the readings are fsynced. Rejects with a JournalError as `Journal.append` throws it. */
  append(readings: readonly JournalReading[], key?: JournalKey): Promise<JournalPosition[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ readings, ...(key && { key }), resolve, reject });
      this.#rows += readings.length;
      if (this.#rows >= this.#rowsMax) this.flush();
      else this.#turn ??= setImmediate(() => this.flush());
    });
  }

  /** Commits now what waits. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const group = this.#waiting;
    this.#waiting = [];
    this.#rows = 0;
    if (group.length > 0) this.#commit(group);
  }

  #commit(group: Waiting[]): void {
    let positions: JournalPosition[][];
    try {
      positions = this.#journal.appendAll(group);
    } catch (error) {
      // A bad reading or a taken key is the fault of one request: the others must not pay for it.
      const code = (error as { code?: unknown }).code;
      if (group.length > 1 && (code === 'JOURNAL_READING' || code === 'JOURNAL_KEY_EXISTS')) {
        for (const entry of group) this.#commit([entry]);
      } else {
        for (const entry of group) entry.reject(error);
      }
      return;
    }
    for (let index = 0; index < group.length; index += 1) group[index]!.resolve(positions[index]!);
  }
}
