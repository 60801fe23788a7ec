import { describe, expect, it } from '@jest/globals';
import { Pace } from './pace.ts';

/** Sends pieces over a link of so many bytes a second until one is answered; gives the tries that took. */
function triesOver(pace: Pace, bytesPerSecond: number): number {
  for (let tries = 1; ; tries++) {
    const ms = (pace.pieceBytes / bytesPerSecond) * 1000;
    if (ms < pace.limitMs(pace.pieceBytes)) {
      pace.answered(pace.pieceBytes, ms);
      return tries;
    }
    pace.givenUp(pace.pieceBytes);
    pace.alive();
  }
}

describe('pace of uploads', () => {
  it('finds pieces that pass a slow link, whatever the link', () => {
    for (const bytesPerSecond of [200, 1_000, 8_000, 1_000_000]) {
      expect(triesOver(new Pace(60_000), bytesPerSecond)).toBeLessThan(6);
    }
  });

  it('grows pieces with quick answers, up to a bound', () => {
    const pace = new Pace(60_000);
    const before = pace.pieceBytes;
    pace.answered(before, 100);
    expect(pace.pieceBytes).toBe(before * 2);
    for (let i = 0; i < 20; i++) pace.answered(pace.pieceBytes, 100);
    expect(pace.pieceBytes).toBe(4 * 1024 * 1024);
  });

  it('makes smaller pieces for a link that does not hold for them', () => {
    const pace = new Pace(60_000);
    const before = pace.pieceBytes;
    pace.cutOff(before, 10);
    expect(pace.pieceBytes).toBe(before);
    pace.cutOff(before, 2_000);
    expect(pace.pieceBytes).toBe(before / 2);
    expect(pace.limitMs(0)).toBe(5_000);
  });

  it('learns nothing about pieces from a small request', () => {
    const pace = new Pace(60_000);
    const before = pace.pieceBytes;
    pace.answered(10, 1);
    expect(pace.pieceBytes).toBe(before);
  });

  it('keeps its patience while nothing answers, and gains some when the link is slow, not dead', () => {
    const pace = new Pace(60_000);
    pace.givenUp(1_000_000);
    expect(pace.limitMs(0)).toBe(5_000);
    pace.alive();
    expect(pace.limitMs(0)).toBe(10_000);
    pace.answered(0, 100);
    expect(pace.limitMs(0)).toBe(5_000);
  });

  it('is never more patient than the operator allows', () => {
    const pace = new Pace(1_000);
    expect(pace.limitMs(0)).toBe(1_000);
    pace.givenUp(0);
    pace.alive();
    expect(pace.limitMs(0)).toBe(1_000);
  });

  it('gives what cannot be cut into pieces the time that its size needs', () => {
    expect(new Pace(60_000).limitMs(2 * 1024 * 1024)).toBeGreaterThan(1_000_000);
  });

  it('grants whole milliseconds, which is all that timers take', () => {
    const pace = new Pace(60_000);
    pace.answered(0, 2_222.2);
    expect(pace.limitMs(0)).toBe(6_667);
    expect(Number.isInteger(pace.limitMs(262_145))).toBe(true);
  });
});
