import type { QueueEntry } from './message.ts';

/** Reads entries of this queue after a message id, in order, at most `limit`. */
export type ReadPage = (after: number, limit: number) => QueueEntry[];

/** Entries in memory per queue, at about 100 bytes each; the rest stays on disk. */
const PAGE = 512;

/**
 * The order of one endpoint and priority. In memory is always the front of the queue: `front` holds every entry
 * up to message `#last`, and `#more` says whether the disk has entries behind it. Taking an entry does not
 * remove it from the disk; its owner settles it or gives it back.
 */
export class EndpointQueue {
  readonly endpoint: string;
  readonly priority: number;
  readonly #readPage: ReadPage;
  #front: QueueEntry[] = [];
  /** Index of the first entry of `#front` that is not taken; avoids shifting the array. */
  #head = 0;
  #last = 0;
  #more: boolean;
  #waiting: number;
  #taken = 0;

  constructor(
    identity: { endpoint: string; priority: number },
    readPage: ReadPage,
    storedLength: number,
  ) {
    this.endpoint = identity.endpoint;
    this.priority = identity.priority;
    this.#readPage = readPage;
    this.#waiting = storedLength;
    this.#more = storedLength > 0;
  }

  /** Entries that are not settled: waiting, on disk or in memory, and taken. */
  get length(): number {
    return this.#waiting + this.#taken;
  }

  /** Message id up to which the entries are in memory. */
  get loadedThrough(): number {
    return this.#last;
  }

  /** Adds an entry that is already on disk. Entries come in ascending order. */
  append(entry: QueueEntry): void {
    this.#waiting++;
    if (this.#more || this.#front.length - this.#head >= PAGE) {
      this.#more = true;
      return;
    }
    this.#front.push(entry);
    this.#last = entry.messageId;
  }

  peek(): QueueEntry | undefined {
    if (this.#head >= this.#front.length) this.#refill();
    return this.#front[this.#head];
  }

  /** The oldest entry; the caller owns it now. */
  take(): QueueEntry | undefined {
    const entry = this.peek();
    if (entry === undefined) return undefined;
    this.#head++;
    this.#waiting--;
    this.#taken++;
    if (this.#head === this.#front.length) {
      this.#front = [];
      this.#head = 0;
    }
    return entry;
  }

  /** Puts an entry that was taken last back in front. */
  giveBack(entry: QueueEntry): void {
    this.#front = [entry, ...this.#front.slice(this.#head)];
    this.#head = 0;
    this.#waiting++;
    this.#taken--;
  }

  /** An entry that was taken is off the disk, or about to be. */
  settled(): void {
    this.#taken--;
  }

  /** Removes expired entries from memory and returns them. */
  removeExpired(nowMs: number): QueueEntry[] {
    const expired: QueueEntry[] = [];
    const kept: QueueEntry[] = [];
    for (let i = this.#head; i < this.#front.length; i++) {
      const entry = this.#front[i]!;
      (isExpired(entry, nowMs) ? expired : kept).push(entry);
    }
    if (expired.length === 0) return expired;
    this.#front = kept;
    this.#head = 0;
    this.#waiting -= expired.length;
    return expired;
  }

  /** Entries behind `loadedThrough` that were removed from the disk. */
  forget(count: number): void {
    this.#waiting -= count;
  }

  #refill(): void {
    if (!this.#more) return;
    this.#front = this.#readPage(this.#last, PAGE);
    this.#head = 0;
    this.#more = this.#front.length === PAGE;
    const last = this.#front.at(-1);
    if (last !== undefined) this.#last = last.messageId;
    else this.#waiting = 0;
  }
}

export const isExpired = (entry: QueueEntry, nowMs: number): boolean =>
  entry.expiresMs !== undefined && entry.expiresMs <= nowMs;
