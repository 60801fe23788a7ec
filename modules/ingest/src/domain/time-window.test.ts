import { describe, expect, it } from '@jest/globals';
import { isClockSet, timeWindow } from './time-window.ts';

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 25, 12);
const LIMITS = { pastMsMax: 24 * HOUR_MS, futureMsMax: HOUR_MS };

describe('times that a reading may have', () => {
  it('are near the clock', () => {
    expect(timeWindow(NOW_MS, LIMITS)).toEqual({
      earliestMs: NOW_MS - 24 * HOUR_MS,
      latestMs: NOW_MS + HOUR_MS,
    });
  });

  it('include now on a box whose clock is not set', () => {
    for (const wallMs of [0, 5_000, Date.UTC(2025, 2, 1)]) {
      expect(isClockSet(wallMs)).toBe(false);
      const { earliestMs, latestMs } = timeWindow(wallMs, LIMITS);
      expect(earliestMs < NOW_MS && NOW_MS < latestMs).toBe(true);
    }
  });

  it('are never before 2000', () => {
    expect(timeWindow(0, LIMITS).earliestMs).toBe(Date.UTC(2000, 0, 1));
  });
});
