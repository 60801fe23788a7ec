import type { Outcome } from '@holdfast/contracts';

/** What a waiting request is told about one row. `applied`: it was applied, but its score went by unseen. */
export type RowOutcome = Outcome | { seq: number; outcome: 'applied' };

interface Waiter {
  resolve(outcome: RowOutcome): void;
}

/**
 * Rows of one stream whose outcome a request waits for, by sequence number. A row leaves when its outcome comes,
 * when a receipt covers it, when its request gives up, or when the epoch ends.
 */
export class OutcomeWaiters {
  readonly #waiting = new Map<number, Waiter[]>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `resolve` once with the outcome, unless `cancel` of the result is called before. */
  wait(seq: number, resolve: (outcome: RowOutcome) => void): { cancel(): void } {
    const waiter: Waiter = { resolve };
    const list = this.#waiting.get(seq);
    if (list === undefined) this.#waiting.set(seq, [waiter]);
    else list.push(waiter);
    return { cancel: () => this.#drop(seq, waiter) };
  }

  /** Waiting rows of `first..last`, ascending. */
  within(first: number, last: number): number[] {
    if (this.#waiting.size === 0) return [];
    const found = [...this.#waiting.keys()].filter((seq) => seq >= first && seq <= last);
    return found.sort((a, b) => a - b);
  }

  /** Tells those who wait what a receipt says. */
  settle(results: readonly Outcome[], through: number): void {
    if (this.#waiting.size === 0) return;
    for (const outcome of results) this.#resolve(outcome.seq, outcome);
    for (const seq of [...this.#waiting.keys()]) {
      if (seq <= through) this.#resolve(seq, { seq, outcome: 'applied' });
    }
  }

  /** Forgets all: the numbers mean other rows now. Their requests run into their time limit. */
  clear(): void {
    this.#waiting.clear();
  }

  #resolve(seq: number, outcome: RowOutcome): void {
    const list = this.#waiting.get(seq);
    if (list === undefined) return;
    this.#waiting.delete(seq);
    for (const waiter of list) waiter.resolve(outcome);
  }

  #drop(seq: number, waiter: Waiter): void {
    const left = this.#waiting.get(seq)?.filter((other) => other !== waiter) ?? [];
    if (left.length === 0) this.#waiting.delete(seq);
    else this.#waiting.set(seq, left);
  }
}
