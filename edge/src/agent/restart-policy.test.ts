import { describe, expect, it } from '@jest/globals';
import { afterExit, edgeAgentLimits, scaleLimits } from './restart-policy.ts';

const ended = { exitCode: 1, restarts: 0, ranMs: 1000 };

describe('afterExit', () => {
  it.each([
    ['never', 0, 'stopped'],
    ['never', 1, 'failed'],
    ['on-failure', 0, 'stopped'],
    ['on-failure', 137, 'restart'],
    ['on-unhealthy', 0, 'stopped'],
    ['on-unhealthy', 1, 'restart'],
    ['always', 0, 'restart'],
    ['always', 1, 'restart'],
  ] as const)('%s with exit code %i: %s', (policy, exitCode, kind) => {
    expect(afterExit(policy, edgeAgentLimits, { ...ended, exitCode }).kind).toBe(kind);
  });

  it('waits 10 s, then twice as long each time, up to 300 s', () => {
    const delays = [0, 1, 2, 3, 4, 5, 6, 19].map((restarts) => {
      const next = afterExit('always', edgeAgentLimits, { ...ended, restarts });
      return next.kind === 'restart' ? next.delayMs / 1000 : undefined;
    });
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('gives up after 20 restarts', () => {
    expect(afterExit('always', edgeAgentLimits, { ...ended, restarts: 20 })).toEqual({
      kind: 'failed',
    });
  });

  it('forgets the count after 10 minutes of running', () => {
    const steady = { ...ended, restarts: 20, ranMs: 600_000 };
    expect(afterExit('always', edgeAgentLimits, steady)).toEqual({
      kind: 'restart',
      delayMs: 10_000,
      restarts: 1,
    });
    expect(afterExit('always', edgeAgentLimits, { ...steady, ranMs: 599_999 }).kind).toBe('failed');
  });

  it('can run on a faster clock', () => {
    const limits = scaleLimits(edgeAgentLimits, 0.01);
    expect(afterExit('always', limits, { ...ended, restarts: 2 })).toMatchObject({ delayMs: 400 });
    expect(afterExit('always', limits, { ...ended, restarts: 9, ranMs: 6000 })).toMatchObject({
      delayMs: 100,
    });
  });
});
