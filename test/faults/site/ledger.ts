/** What identifies a reading in these tests: the source gives no time of an asset twice. */
export interface ReadingKey {
  asset: string;
  t: number;
}

/** What is wrong between the source's memory and what is found at the far end; all empty when nothing is. */
export interface Discrepancies {
  /** Acknowledged, and not found. */
  lost: string[];
  /** Found more than once. */
  doubled: string[];
  /** Found, and never sent. */
  invented: string[];
}

/**
 * What the source remembers of each reading: sent, and perhaps acknowledged. A reading that was sent and not
 * acknowledged may be found or not; one that was acknowledged must be found, and none twice.
 */
export class Ledger {
  readonly #acknowledged = new Map<string, boolean>();
  #count = 0;

  /** Readings that were acknowledged. */
  get acknowledged(): number {
    return this.#count;
  }

  /** Readings that were sent and not yet acknowledged. */
  get inDoubt(): number {
    return this.#acknowledged.size - this.#count;
  }

  sent(readings: readonly ReadingKey[]): void {
    for (const reading of readings) {
      const key = keyOf(reading);
      if (this.#acknowledged.has(key)) throw new Error(`the source repeats itself: ${key}`);
      this.#acknowledged.set(key, false);
    }
  }

  acknowledge(readings: readonly ReadingKey[]): void {
    for (const reading of readings) this.#acknowledged.set(keyOf(reading), true);
    this.#count += readings.length;
  }

  compare(found: Tally): Discrepancies {
    const wrong: Discrepancies = { lost: [], doubled: [], invented: [] };
    for (const [key, acknowledged] of this.#acknowledged) {
      if (acknowledged && found.of(key) === 0) wrong.lost.push(key);
    }
    for (const [key, count] of found) {
      if (count > 1) wrong.doubled.push(key);
      if (!this.#acknowledged.has(key)) wrong.invented.push(key);
    }
    return wrong;
  }
}

/** How often each reading was found. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(reading: ReadingKey): void {
    const key = keyOf(reading);
    this.#counts.set(key, this.of(key) + 1);
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Different readings. */
  get size(): number {
    return this.#counts.size;
  }

  [Symbol.iterator](): IterableIterator<[string, number]> {
    return this.#counts.entries();
  }
}

/** One line on what is wrong, with a few examples; undefined when nothing is. */
export function describeDiscrepancies(wrong: Discrepancies): string | undefined {
  const parts = Object.entries(wrong)
    .filter(([, keys]) => keys.length > 0)
    .map(([what, keys]: [string, string[]]) => {
      const more = keys.length > 3 ? ', …' : '';
      return `${keys.length} readings ${what} (${keys.slice(0, 3).join(', ')}${more})`;
    });
  return parts.length === 0 ? undefined : parts.join('; ');
}

const keyOf = ({ asset, t }: ReadingKey): string => `${asset} at ${t}`;
