import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from './ledger.ts';
import type { Source } from './sources.ts';

export interface LoadOptions {
  source: Source;
  ledger: Ledger;
  /** Number of the first reading; those of one run must not be sent again by another. */
  first: number;
  /** Readings in one message. */
  rows: number;
  /** Messages that wait for their acknowledgement at the same time. */
  atOnce: number;
  /** Readings a second; 0 as fast as they are acknowledged. */
  rate: number;
  /** Waits while more than `most` readings are acknowledged and not among those that `stored` counts. */
  ahead?: { most: number; stored: () => Promise<number | undefined> } | undefined;
}

const LOOK_MS = 25;

/** Feeds a peer until it is stopped. */
export class Load {
  /** Number after the last reading that was sent. */
  next: number;
  readonly latenciesMs: number[] = [];
  readonly #options: LoadOptions;
  readonly #end = new AbortController();
  readonly #abandon = new AbortController();
  readonly #workers: Promise<void>[];
  #acknowledged = 0;
  #stored = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.next = options.first;
    const startedAt = performance.now();
    if (options.ahead !== undefined) void this.#watch(options.ahead.stored);
    this.#workers = Array.from({ length: options.atOnce }, () => this.#work(startedAt));
  }

  /** Takes no new reading; waits so long for acknowledgements that are due, then gives the rest up. */
  async stop(patienceMs = 6_000): Promise<void> {
    this.#end.abort();
    const timer = setTimeout(() => this.#abandon.abort(), patienceMs);
    await Promise.all(this.#workers);
    clearTimeout(timer);
  }

  #isAhead(): boolean {
    const { ahead } = this.#options;
    return ahead !== undefined && this.#acknowledged - this.#stored >= ahead.most;
  }

  async #watch(stored: () => Promise<number | undefined>): Promise<void> {
    const before = (await stored()) ?? 0;
    while (!this.#end.signal.aborted) {
      this.#stored = Math.max(this.#stored, ((await stored()) ?? 0) - before);
      await sleep(LOOK_MS);
    }
  }

  async #work(startedAt: number): Promise<void> {
    const { source, ledger, first, rows, rate } = this.#options;
    while (!this.#end.signal.aborted) {
      if (this.#isAhead()) {
        await sleep(LOOK_MS / 5);
        continue;
      }
      const from = this.next;
      this.next += rows;
      const dueMs = rate > 0 ? ((from - first) / rate) * 1000 : 0;
      const aheadMs = dueMs - (performance.now() - startedAt);
      if (aheadMs > 0)
        await sleep(aheadMs, undefined, { signal: this.#end.signal }).catch(() => {});
      if (this.#end.signal.aborted) return;
      const sentAt = performance.now();
      try {
        await source.send(from, rows, this.#abandon.signal);
      } catch (error) {
        if (this.#abandon.signal.aborted) return;
        throw error;
      }
      ledger.acknowledge(from, rows);
      this.#acknowledged += rows;
      this.latenciesMs.push(performance.now() - sentAt);
    }
  }

  /** @returns NaN when nothing was acknowledged */
  latencyMs(share: number): number {
    const sorted = this.latenciesMs.toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  }
}
