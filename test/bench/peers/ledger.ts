/** What became of the readings of one run. */
export interface Tally {
  /** Readings that the peer has acknowledged to their source. */
  acknowledged: number;
  /** Readings in the store, each counted once. */
  stored: number;
  /** Acknowledged, and not in the store: the promise that was broken. */
  lost: number;
  /** Further copies of readings that are in the store already. */
  doubled: number;
  /** In the store although never acknowledged: allowed, the source would have sent them again. */
  unacknowledged: number;
}

/** Numbers of readings that were acknowledged, kept by the source, which is never killed. */
export class Ledger {
  readonly #acknowledged = new Set<number>();

  acknowledge(first: number, count: number): void {
    for (let n = first; n < first + count; n += 1) this.#acknowledged.add(n);
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  /** @throws Error for a number that no source of this run has ever made */
  compare(stored: Iterable<number>): Tally {
    const seen = new Set<number>();
    let doubled = 0;
    for (const n of stored) {
      if (!Number.isSafeInteger(n) || n < 0) throw new Error(`a reading that nobody sent: ${n}`);
      if (seen.has(n)) doubled += 1;
      seen.add(n);
    }
    const acknowledged = this.#acknowledged.size;
    let lost = 0;
    for (const n of this.#acknowledged) if (!seen.has(n)) lost += 1;
    const unacknowledged = seen.size - (acknowledged - lost);
    return { acknowledged, stored: seen.size, lost, doubled, unacknowledged };
  }
}
