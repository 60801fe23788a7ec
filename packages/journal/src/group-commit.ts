import type { Journal } from './journal.ts';
import type { JournalKey, JournalPosition, JournalReading } from './port.ts';

/** Rows that wait before a group is committed without waiting for the end of the turn: a few milliseconds of work. */
const ROWS_MAX = 8_192;

/**
 * On a slow disk a group may wait for those that the last commit has just answered: for up to a quarter of what that
 * commit took, in steps of a tenth, as long as more come in each. Without it, two halves of the sources would take turns,
 * and each sync would serve one half. A disk that syncs in less than 4 ms is too fast for a timer to be worth it.
 */
const WAIT_SHARE = 0.25;
const STEP_SHARE = 0.1;
const WAIT_MS_MIN = 1;

interface Waiting {
  readings: readonly JournalReading[];
  key?: JournalKey;
  resolve(positions: JournalPosition[]): void;
  reject(error: unknown): void;
}

/**
 * Joins what arrives in one turn of the event loop into one transaction: many small posts share one fsync, and a
 * lone one does not wait for company. On a slow disk a group also waits for those that posted before, see `WAIT_SHARE`.
 */
export class GroupCommit {
  readonly #journal: Journal;
  readonly #rowsMax: number;
  #waiting: Waiting[] = [];
  #rows = 0;
  #turn: NodeJS.Immediate | undefined;
  #step: NodeJS.Timeout | undefined;
  readonly #nowMs: () => number;
  /** Entries of the last group, and until when the next may wait for them. */
  #lastCount = 0;
  #waitUntilMs = 0;
  #stepMs = 0;
  /** Entries that waited at the step before. */
  #seen = 0;

  /** `nowMs`: a clock that never goes back. */
  constructor(journal: Journal, options: { rowsMax?: number; nowMs?: () => number } = {}) {
    this.#journal = journal;
    this.#rowsMax = options.rowsMax ?? ROWS_MAX;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Resolves when the readings are fsynced. Rejects with a JournalError as `Journal.append` throws it. */
  append(readings: readonly JournalReading[], key?: JournalKey): Promise<JournalPosition[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ readings, ...(key && { key }), resolve, reject });
      this.#rows += readings.length;
      if (this.#rows >= this.#rowsMax) this.flush();
      else if (this.#step === undefined) this.#turn ??= setImmediate(() => this.#ready());
    });
  }

  /** Commits now what waits. */
  flush(): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#step);
    this.#turn = undefined;
    this.#step = undefined;
    this.#seen = 0;
    const group = this.#waiting;
    this.#waiting = [];
    this.#rows = 0;
    if (group.length === 0) return;
    const startMs = this.#nowMs();
    this.#commit(group);
    const endMs = this.#nowMs();
    this.#lastCount = group.length;
    this.#waitUntilMs = endMs + (endMs - startMs) * WAIT_SHARE;
    this.#stepMs = Math.max(WAIT_MS_MIN, (endMs - startMs) * STEP_SHARE);
  }

  #ready(): void {
    const more = this.#waiting.length > this.#seen;
    // A single source that posts one after the other has nobody to wait for.
    if (this.#lastCount < 2 || !more || this.#waitUntilMs - this.#nowMs() < WAIT_MS_MIN) {
      this.flush();
      return;
    }
    this.#seen = this.#waiting.length;
    this.#turn = undefined;
    this.#step = setTimeout(() => {
      this.#step = undefined;
      this.#ready();
    }, this.#stepMs);
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
