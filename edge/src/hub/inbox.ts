import type { Arrival, MessageStore, Settlement, StoredEntry } from './message-store.ts';

/**
 * How long a settlement may wait for a commit that it can share, in ms. Lost in a crash it only means that a
 * message is delivered twice.
 */
const SETTLE_DELAY_MS = 25;

/** Settlements after which the wait is over. */
const SETTLE_COUNT_MAX = 256;

export interface InboxPorts {
  nowMs(): number;
  /** Entries that are on the disk now, for their queues. */
  onStored(entries: readonly StoredEntry[]): void;
  onFailed(error: Error, arrivals: number): void;
  /** Named points at which a test may kill the process. */
  point(name: 'before-commit' | 'after-commit'): void;
}

type Waiting = Arrival & { done: (error?: Error) => void };

/**
 * Joins what arrives in one turn of the event loop (the packets of a read chunk, of all connections) into one
 * transaction. `done` is called after the commit, in the order of arrival, so an acknowledgement never precedes
 * its commit; with an error when nothing was stored.
 */
export class Inbox {
  readonly #store: MessageStore;
  readonly #ports: InboxPorts;
  #arrivals: Waiting[] = [];
  #settled: Settlement[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #settleTimer: NodeJS.Timeout | undefined;

  constructor(store: MessageStore, ports: InboxPorts) {
    this.#store = store;
    this.#ports = ports;
  }

  add(arrival: Arrival, done: (error?: Error) => void): void {
    this.#arrivals.push({ ...arrival, done });
    this.#scheduled ??= setImmediate(() => this.flush());
  }

  settle(settlement: Settlement): void {
    this.#settled.push(settlement);
    if (this.#settled.length >= SETTLE_COUNT_MAX) {
      this.#scheduled ??= setImmediate(() => this.flush());
    } else {
      this.#settleTimer ??= setTimeout(() => this.flush(), SETTLE_DELAY_MS);
    }
  }

  flush(): void {
    clearImmediate(this.#scheduled);
    clearTimeout(this.#settleTimer);
    this.#scheduled = undefined;
    this.#settleTimer = undefined;
    const arrivals = this.#arrivals;
    const settled = this.#settled;
    if (arrivals.length === 0 && settled.length === 0) return;
    this.#arrivals = [];
    this.#settled = [];
    let stored: StoredEntry[][];
    try {
      this.#ports.point('before-commit');
      stored = this.#store.commit(arrivals, settled, this.#ports.nowMs());
    } catch (error) {
      this.#failed(error as Error, arrivals, settled);
      return;
    }
    this.#ports.point('after-commit');
    for (const arrival of arrivals) arrival.done();
    for (const entries of stored) this.#ports.onStored(entries);
  }

  /** Settlements stay for the next commit; publishers get no acknowledgement and send again. */
  #failed(error: Error, arrivals: readonly Waiting[], settled: Settlement[]): void {
    this.#settled = [...settled, ...this.#settled];
    this.#settleTimer ??= setTimeout(() => this.flush(), 1_000);
    this.#ports.onFailed(error, arrivals.length);
    for (const arrival of arrivals) arrival.done(error);
  }
}
