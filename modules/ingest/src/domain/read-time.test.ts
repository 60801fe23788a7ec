import { describe, expect, it } from '@jest/globals';
import { readTime } from './read-time.ts';

describe('readTime', () => {
  it.each([
    ['2026-11-23T12:00:00Z', Date.UTC(2026, 10, 23, 12)],
    ['2026-11-23T12:00:00.5Z', Date.UTC(2026, 10, 23, 12, 0, 0, 500)],
    ['2026-11-23T12:00:00.1239Z', Date.UTC(2026, 10, 23, 12, 0, 0, 123)],
    ['2026-11-23T12:00Z', Date.UTC(2026, 10, 23, 12)],
    ['2026-11-23 12:00:00+02:00', Date.UTC(2026, 10, 23, 10)],
    ['2026-11-23T12:00:00-0530', Date.UTC(2026, 10, 23, 17, 30)],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['1700000000123', 1_700_000_000_123],
  ])('reads %s', (text, t) => {
    expect(readTime(text, false)).toEqual({ t });
  });

  it.each([
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T12:60:00Z',
    '2026-11-23T12:00:60Z',
    '2026-11-23',
    '23.11.2026 12:00',
    '2026-11-23T12:00:00+15:00',
    '',
    'now',
    '1.5',
    '1e12',
  ])('refuses %s instead of guessing', (text) => {
    expect(readTime(text, true)).toEqual({ fault: 'format' });
  });

  it('takes a time without zone as UTC only when told so', () => {
    expect(readTime('2026-11-23T12:00:00', false)).toEqual({ fault: 'zone' });
    expect(readTime('2026-11-23T12:00:00', true)).toEqual({ t: Date.UTC(2026, 10, 23, 12) });
  });
});
