/**
 * Shares one thing among those who want it, in proportion to their weights and by time used, not by number of turns
 * (start-time fair queueing: Goyal, Vin, Cheng 1996). Who was away does not save up: it comes back with what the
 * others have now, but for a small credit, so that one who is away for a moment between two turns loses nothing.
 */
export class FairShare<Key> {
  /** Time used over weight, in ms, by key. */
  readonly #used = new Map<Key, number>();
  readonly #creditMs: number;
  /** That of the one whose turn was last. */
  #now = 0;

  constructor(creditMs: number) {
    this.#creditMs = creditMs;
  }

  /** It begins to want. */
  join(key: Key): void {
    const used = this.#used.get(key) ?? this.#now;
    this.#used.set(key, Math.max(used, this.#now - this.#creditMs));
  }

  /** Those who want, who has had least first; of equals, the one given first. */
  order(keys: readonly Key[]): Key[] {
    return [...keys].sort((a, b) => this.#usedBy(a) - this.#usedBy(b));
  }

  /** It got a turn of `ms` over its weight; negative when a turn took less than was thought. */
  charge(key: Key, ms: number): void {
    const used = this.#usedBy(key);
    if (ms > 0) this.#now = Math.max(this.#now, used);
    this.#used.set(key, used + ms);
  }

  forget(key: Key): void {
    this.#used.delete(key);
  }

  #usedBy(key: Key): number {
    return this.#used.get(key) ?? this.#now;
  }
}
