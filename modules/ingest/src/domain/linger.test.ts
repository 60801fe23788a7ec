import { describe, expect, it } from '@jest/globals';
import { ArrivalRate, lingerMs } from './linger.ts';

const state = { busy: false, settingMs: 5, roundTripMs: 0, rowsPerMs: 0 };

describe('lingerMs', () => {
  it('does not wait when nothing is under way and rows come slowly', () => {
    expect(lingerMs(state)).toBe(0);
    expect(lingerMs({ ...state, rowsPerMs: 0.25 })).toBeCloseTo(4);
  });

  it('waits for company where rows come fast, also when nothing is under way', () => {
    expect(lingerMs({ ...state, rowsPerMs: 2.5 })).toBe(40);
    expect(lingerMs({ ...state, rowsPerMs: 1_000 })).toBe(100);
  });

  it('waits for the setting, or for one round trip, while batches are under way', () => {
    expect(lingerMs({ ...state, busy: true })).toBe(5);
    expect(lingerMs({ ...state, busy: true, roundTripMs: 30 })).toBe(30);
  });

  it('waits for no longer than 100 ms, however slow the way is', () => {
    expect(lingerMs({ ...state, busy: true, roundTripMs: 60_000, rowsPerMs: 9 })).toBe(100);
  });
});

describe('ArrivalRate', () => {
  it('knows nothing before the second call', () => {
    const rate = new ArrivalRate();
    rate.came(1_000, 5);
    expect(rate.rowsPerMs).toBe(0);
  });

  it('comes close to a steady rate within a second and falls when rows stop', () => {
    const rate = new ArrivalRate();
    for (let at = 0; at <= 1_000; at += 10) rate.came(30, at);
    expect(rate.rowsPerMs).toBeGreaterThan(2.9);
    expect(rate.rowsPerMs).toBeLessThanOrEqual(3);
    rate.came(1, 3_000);
    expect(rate.rowsPerMs).toBeLessThan(0.01);
  });

  it('takes several calls at the same time for one', () => {
    const rate = new ArrivalRate();
    rate.came(10, 0);
    rate.came(10, 0);
    rate.came(10, 10);
    expect(Number.isFinite(rate.rowsPerMs)).toBe(true);
  });
});
