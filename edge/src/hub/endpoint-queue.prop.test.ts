/**
 * Goal: a queue that keeps only its front in memory behaves as one list, whatever the order of calls.
 * Method: random commands against an array; the disk is another array, from which settled entries go later.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EndpointQueue } from './endpoint-queue.ts';
import type { QueueEntry } from './message.ts';

class Model {
  readonly disk = new Map<number, QueueEntry>();
  readonly taken: QueueEntry[] = [];
  queue: EndpointQueue;
  waiting: QueueEntry[] = [];
  #nextId = 1;

  constructor(stored: number) {
    for (let i = 0; i < stored; i++) this.#store(undefined);
    this.queue = this.#open();
  }

  append(expiresMs: number | undefined): void {
    this.queue.append(this.#store(expiresMs));
  }

  take(): void {
    const entry = this.queue.take();
    expect(entry?.messageId).toBe(this.waiting.shift()?.messageId);
    if (entry !== undefined) this.taken.push(entry);
  }

  settle(): void {
    const entry = this.taken.shift();
    if (entry === undefined) return;
    this.queue.settled();
    this.disk.delete(entry.messageId);
  }

  /** All that is taken, latest first, as after a lost connection. */
  giveBack(): void {
    for (let entry = this.taken.pop(); entry !== undefined; entry = this.taken.pop()) {
      this.queue.giveBack(entry);
      this.waiting.unshift(entry);
    }
  }

  sweep(nowMs: number): void {
    const expired = (entry: QueueEntry): boolean => (entry.expiresMs ?? Infinity) <= nowMs;
    for (const entry of this.queue.removeExpired(nowMs)) this.disk.delete(entry.messageId);
    const behind = [...this.disk.values()].filter(
      (entry) => entry.messageId > this.queue.loadedThrough && expired(entry),
    );
    for (const entry of behind) this.disk.delete(entry.messageId);
    this.queue.forget(behind.length);
    this.waiting = this.waiting.filter((entry) => !expired(entry));
  }

  /** A new life of the hub: what was not settled waits again. */
  reopen(): void {
    this.taken.length = 0;
    this.waiting = [...this.disk.values()];
    this.queue = this.#open();
  }

  check(): void {
    expect(this.queue.length).toBe(this.waiting.length + this.taken.length);
    expect(this.queue.peek()?.messageId).toBe(this.waiting[0]?.messageId);
  }

  #open(): EndpointQueue {
    const page = (after: number, limit: number): QueueEntry[] =>
      [...this.disk.values()].filter((entry) => entry.messageId > after).slice(0, limit);
    return new EndpointQueue({ endpoint: 'm/i', priority: 9 }, page, this.disk.size);
  }

  #store(expiresMs: number | undefined): QueueEntry {
    const entry = { messageId: this.#nextId++, expiresMs, enqueuedMs: 0 };
    this.disk.set(entry.messageId, entry);
    this.waiting.push(entry);
    return entry;
  }
}

type Command = (model: Model) => void;
const times =
  (count: number, step: Command): Command =>
  (model) => {
    for (let i = 0; i < count; i++) step(model);
  };
const command: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(
      fc.integer({ min: 1, max: 700 }),
      fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    )
    .map(([count, expires]) => times(count, (model) => model.append(expires))),
  fc.integer({ min: 1, max: 700 }).map((count) => times(count, (model) => model.take())),
  fc.integer({ min: 1, max: 700 }).map((count) => times(count, (model) => model.settle())),
  fc.constant((model: Model) => model.giveBack()),
  fc.integer({ min: 1, max: 9 }).map(
    (now): Command =>
      (model) =>
        model.sweep(now),
  ),
  fc.constant((model: Model) => model.reopen()),
);

describe('endpoint queue', () => {
  it('is one list, over paging, expiry, loss of the connection and restarts', () => {
    const sizes = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1_200 }));
    fc.assert(
      fc.property(sizes, fc.array(command, { maxLength: 25 }), (stored, commands) => {
        const model = new Model(stored);
        for (const run of commands) {
          run(model);
          model.check();
        }
      }),
      { numRuns: 150 },
    );
  });
});
