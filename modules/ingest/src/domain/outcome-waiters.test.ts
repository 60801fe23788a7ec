import { describe, expect, it } from '@jest/globals';
import { OutcomeWaiters, type RowOutcome } from './outcome-waiters.ts';

const scored = (seq: number) => ({
  seq,
  outcome: 'scored' as const,
  score: 0.5,
  level: 0 as const,
});

describe('OutcomeWaiters', () => {
  it('hands each outcome to those who wait for its row, once', () => {
    const waiters = new OutcomeWaiters();
    const seen: RowOutcome[] = [];
    waiters.wait(5, (outcome) => seen.push(outcome));
    waiters.wait(5, (outcome) => seen.push(outcome));
    waiters.settle([scored(5), scored(6)], 6);
    waiters.settle([scored(5)], 6);
    expect(seen).toEqual([scored(5), scored(5)]);
    expect(waiters.size).toBe(0);
  });

  it('says applied when a receipt covers a row whose outcome it does not bring', () => {
    const waiters = new OutcomeWaiters();
    const seen: RowOutcome[] = [];
    waiters.wait(5, (outcome) => seen.push(outcome));
    waiters.wait(6, (outcome) => seen.push(outcome));
    waiters.settle([], 5);
    expect(seen).toEqual([{ seq: 5, outcome: 'applied' }]);
    expect(waiters.within(1, 10)).toEqual([6]);
  });

  it('lists the rows of a range in order, both ends included', () => {
    const waiters = new OutcomeWaiters();
    for (const seq of [9, 2, 5, 1, 10]) waiters.wait(seq, () => undefined);
    expect(waiters.within(2, 9)).toEqual([2, 5, 9]);
  });

  it('forgets who has given up, and only that one', () => {
    const waiters = new OutcomeWaiters();
    const seen: string[] = [];
    const first = waiters.wait(1, () => seen.push('first'));
    waiters.wait(1, () => seen.push('second'));
    first.cancel();
    waiters.settle([scored(1)], 1);
    expect(seen).toEqual(['second']);
  });
});
