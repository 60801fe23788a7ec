import type { ScoresMessage } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { HeldBatches } from './held-batches.ts';

const aBatch = (stream: string, first: number, epoch = 'e1') => ({
  scores: { stream, epoch, first, last: first + 9 } as ScoresMessage,
  lost: [],
});

class Store {
  full = true;
  nowMs = 0;
  tries = 0;
  readonly lines: string[] = [];
  readonly held = new HeldBatches({
    short: () => this.full,
    makeRoom: () => {
      this.tries++;
    },
    monotonicMs: () => this.nowMs,
    log: {
      error: (event) => this.lines.push(`error ${event}`),
      warn: () => {},
      info: (event) => this.lines.push(`info ${event}`),
      debug: () => {},
    },
  });
}

describe('batches that a full store has no room for', () => {
  it('are the first of each stream, and come out when there is room', () => {
    const store = new Store();
    for (const batch of [aBatch('a', 11), aBatch('b', 1), aBatch('a', 1), aBatch('a', 21)]) {
      expect(store.held.hasRoom()).toBe(false);
      store.held.hold(batch);
    }
    expect(store.held.count).toBe(4);
    expect(store.held.take()).toEqual([]);
    store.full = false;
    const taken = store.held.take().map(({ scores }) => [scores.stream, scores.first]);
    expect(taken).toEqual([
      ['a', 1],
      ['b', 1],
    ]);
    expect(store.held.take()).toEqual([]);
  });

  it('give way to those of a new epoch', () => {
    const store = new Store();
    store.held.hold(aBatch('a', 11));
    store.held.hold(aBatch('a', 21, 'e2'));
    store.full = false;
    expect(store.held.take().map(({ scores }) => scores.epoch)).toEqual(['e2']);
  });

  it('make the store try for room now and then, and say once that there is none', () => {
    const store = new Store();
    for (; store.nowMs < 2_000; store.nowMs += 10) store.held.hasRoom();
    expect(store.tries).toBe(4);
    expect(store.held.reason).toMatch(/no room/);
    store.full = false;
    expect(store.held.hasRoom()).toBe(true);
    expect(store.held.reason).toBeUndefined();
    expect(store.lines.map((line) => line.split(' ')[0])).toEqual(['error', 'info']);
  });
});
