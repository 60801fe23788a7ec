import { describe, expect, it } from '@jest/globals';
import { FAILURES_MAX, FailureLimiter, WINDOW_MS } from './failure-limiter.ts';
import { formatOf, keyFault, waitSecsOf } from './http-request.ts';

describe('formatOf', () => {
  it.each([
    ['application/json', 'json'],
    ['Application/JSON; charset=UTF-8', 'json'],
    ['application/x-ndjson', 'ndjson'],
    ['text/csv; header=present', 'csv'],
  ])('reads %s', (type, format) => {
    expect(formatOf(type)).toBe(format);
  });

  it.each([undefined, '', 'text/plain', 'application/xml', 'application/json; charset=latin1'])(
    'refuses %p',
    (type) => {
      expect(formatOf(type)).toMatchObject({ fault: { code: 'media-type' } });
    },
  );
});

describe('waitSecsOf', () => {
  it.each([
    ['wait=5', 5],
    ['respond-async, wait=10', 10],
    ['wait="7"; x=y', 7],
    ['wait=600', 30],
  ])('reads %s', (header, secs) => {
    expect(waitSecsOf(header)).toBe(secs);
  });

  it.each([undefined, '', 'return=minimal', 'wait=x', 'waiting=5'])(
    'finds no wait in %p',
    (header) => {
      expect(waitSecsOf(header)).toBeUndefined();
    },
  );
});

describe('keyFault', () => {
  it('wants 1 to 128 visible characters', () => {
    expect(keyFault('a'.repeat(128))).toBeUndefined();
    expect(keyFault('a'.repeat(129))).toBeDefined();
    expect(keyFault('a b')).toBeDefined();
    expect(keyFault('')).toBeDefined();
  });
});

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
