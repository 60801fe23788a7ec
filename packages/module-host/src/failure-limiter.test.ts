import { describe, expect, it } from '@jest/globals';
import { FAILURES_MAX, FailureLimiter, WINDOW_MS } from './failure-limiter.ts';

describe('FailureLimiter', () => {
  const failTimes = (limiter: FailureLimiter, times: number, nowMs: number, address = 'a') =>
    Array.from({ length: times }, () => limiter.failed(address, nowMs)).at(-1);

  it('lets the first failures of a window pass and then says how long to wait', () => {
    const limiter = new FailureLimiter();
    expect(failTimes(limiter, FAILURES_MAX, 0)).toBeUndefined();
    expect(limiter.failed('a', 1)).toBe(60);
    expect(limiter.failed('a', WINDOW_MS - 1)).toBe(1);
  });

  it('begins a new window when the old one is over', () => {
    const limiter = new FailureLimiter();
    failTimes(limiter, FAILURES_MAX + 5, 0);
    expect(limiter.failed('a', WINDOW_MS)).toBeUndefined();
  });

  it('counts each address by itself', () => {
    const limiter = new FailureLimiter();
    failTimes(limiter, FAILURES_MAX + 1, 0);
    expect(limiter.failed('b', 0)).toBeUndefined();
  });
});
