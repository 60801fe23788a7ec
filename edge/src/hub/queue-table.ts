import { EndpointQueue } from './endpoint-queue.ts';
import type { Inbox } from './inbox.ts';
import { type QueueEntry, UPSTREAM } from './message.ts';
import type { MessageStore, StoredEntry } from './message-store.ts';

export type DropReason = 'ttl_expiry' | 'damaged' | 'endpoint_removed';

export interface QueueStatus {
  endpoint: string;
  priority: number;
  length: number;
  /** Age of the entry that is next, in ms; absent when nothing waits. */
  oldestAgeMs?: number;
}

export interface QueuePorts {
  nowMs(): number;
  onDropped(queue: EndpointQueue, reason: DropReason, count: number): void;
  /** A queue exists now that did not before. */
  onQueue(queue: EndpointQueue): void;
  onQueueRemoved(queue: EndpointQueue): void;
  /** There is something to deliver. */
  wake(endpoint: string): void;
}

/** Entries looked at in one step of the search for expired ones, so that the event loop is held for ms only. */
const SWEEP_PAGE = 2_000;

/** All queues of the hub, one for each endpoint and priority. */
export class QueueTable {
  readonly #store: MessageStore;
  readonly #inbox: Inbox;
  readonly #ports: QueuePorts;
  readonly #queues = new Map<string, EndpointQueue>();

  constructor(store: MessageStore, inbox: Inbox, ports: QueuePorts) {
    this.#store = store;
    this.#inbox = inbox;
    this.#ports = ports;
  }

  /** Takes up what a former life of the hub left on disk. */
  load(): void {
    for (const { endpoint, priority, length } of this.#store.queues()) {
      this.#open(endpoint, priority, length);
    }
  }

  stored(entries: readonly StoredEntry[]): void {
    for (const { endpoint, priority, entry } of entries) {
      const queue =
        this.#queues.get(keyOf(endpoint, priority)) ?? this.#open(endpoint, priority, 0);
      queue.append(entry);
      this.#ports.wake(endpoint);
    }
  }

  settle(queue: EndpointQueue, entry: QueueEntry): void {
    queue.settled();
    this.#settle(queue, entry.messageId);
  }

  /** An entry that was taken and will not be delivered. */
  drop(queue: EndpointQueue, entry: QueueEntry, reason: DropReason): void {
    this.settle(queue, entry);
    this.#ports.onDropped(queue, reason, 1);
  }

  /** Removes what has expired, also from queues that nobody reads. */
  async sweep(): Promise<void> {
    for (const queue of this.#queues.values()) {
      const expired = queue.removeExpired(this.#ports.nowMs());
      for (const entry of expired) this.#settle(queue, entry.messageId);
      this.#dropped(queue, 'ttl_expiry', expired.length);
      await this.#sweepDisk(queue);
    }
  }

  /** Deletes the queues of endpoints that no route leads to any more, as edge hub does. */
  async retain(endpoints: ReadonlySet<string>): Promise<void> {
    for (const [key, queue] of this.#queues) {
      if (endpoints.has(queue.endpoint)) continue;
      this.#queues.delete(key);
      this.#ports.onQueueRemoved(queue);
      await this.#empty(queue);
    }
  }

  status(): QueueStatus[] {
    const now = this.#ports.nowMs();
    return [...this.#queues.values()].map((queue) => {
      const { endpoint, priority, length } = queue;
      const next = queue.peek();
      const status: QueueStatus = { endpoint, priority, length };
      if (next !== undefined) status.oldestAgeMs = Math.max(0, now - next.enqueuedMs);
      return status;
    });
  }

  /** The cloud's queues, best priority first. */
  upstream(): EndpointQueue[] {
    return [...this.#queues.values()]
      .filter((queue) => queue.endpoint === UPSTREAM)
      .sort((a, b) => a.priority - b.priority);
  }

  /** Up to what is stored now: a route that comes back meanwhile begins with an empty queue. */
  async #empty(queue: EndpointQueue): Promise<void> {
    this.#inbox.flush();
    const through = this.#store.lastId();
    for (let after = 0; ; ) {
      const entries = this.#store
        .page(queue.endpoint, queue.priority, after, SWEEP_PAGE)
        .filter((entry) => entry.messageId <= through);
      const last = entries.at(-1);
      if (last === undefined) return;
      after = last.messageId;
      for (const entry of entries) this.#settle(queue, entry.messageId);
      this.#dropped(queue, 'endpoint_removed', entries.length);
      this.#inbox.flush();
      await turn();
    }
  }

  /**
   * Each step starts behind what is in memory and is committed before the next, so no entry is loaded while it
   * is being removed.
   */
  async #sweepDisk(queue: EndpointQueue): Promise<void> {
    let after: number | undefined = queue.loadedThrough;
    while (after !== undefined) {
      this.#inbox.flush();
      const from: number = Math.max(after, queue.loadedThrough);
      const now = this.#ports.nowMs();
      const page = this.#store.expired(queue, from, SWEEP_PAGE, now);
      for (const id of page.expired) this.#settle(queue, id);
      if (page.expired.length > 0) {
        this.#inbox.flush();
        queue.forget(page.expired.length);
        this.#dropped(queue, 'ttl_expiry', page.expired.length);
      }
      after = page.next;
      await turn();
    }
  }

  #dropped(queue: EndpointQueue, reason: DropReason, count: number): void {
    if (count > 0) this.#ports.onDropped(queue, reason, count);
  }

  #settle(queue: EndpointQueue, messageId: number): void {
    this.#inbox.settle({ endpoint: queue.endpoint, priority: queue.priority, messageId });
  }

  #open(endpoint: string, priority: number, length: number): EndpointQueue {
    const readPage = (after: number, limit: number): QueueEntry[] =>
      this.#store.page(endpoint, priority, after, limit);
    const queue = new EndpointQueue({ endpoint, priority }, readPage, length);
    this.#queues.set(keyOf(endpoint, priority), queue);
    this.#ports.onQueue(queue);
    return queue;
  }
}

const keyOf = (endpoint: string, priority: number): string => `${priority}/${endpoint}`;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
