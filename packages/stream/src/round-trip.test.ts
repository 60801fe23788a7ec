import { describe, expect, it } from '@jest/globals';
import { RoundTrip } from './round-trip.ts';

const bounds = { firstMs: 1_000, minMs: 200, maxMs: 60_000 };

describe('RoundTrip', () => {
  it('begins with the first timeout and then takes mean plus four deviations', () => {
    const roundTrip = new RoundTrip(bounds);
    expect(roundTrip.timeoutMs).toBe(1_000);
    expect(roundTrip.smoothedMs).toBeUndefined();
    roundTrip.sample(400);
    expect(roundTrip.timeoutMs).toBe(400 + 4 * 200);
    // RFC 6298: rttvar = 3/4 * 200 + 1/4 * |400 - 480|, srtt = 7/8 * 400 + 1/8 * 480
    roundTrip.sample(480);
    expect(roundTrip.smoothedMs).toBe(410);
    expect(roundTrip.timeoutMs).toBe(410 + 4 * 170);
  });

  it('doubles with each timeout and stays there until the next sample', () => {
    const roundTrip = new RoundTrip(bounds);
    roundTrip.sample(400);
    roundTrip.backOff();
    roundTrip.backOff();
    expect(roundTrip.timeoutMs).toBe(4 * 1_200);
    roundTrip.sample(400);
    expect(roundTrip.timeoutMs).toBe(400 + 4 * 150);
  });

  it('keeps within its bounds', () => {
    const roundTrip = new RoundTrip(bounds);
    for (let index = 0; index < 50; index += 1) roundTrip.sample(1);
    expect(roundTrip.timeoutMs).toBe(200);
    for (let index = 0; index < 50; index += 1) roundTrip.backOff();
    expect(roundTrip.timeoutMs).toBe(60_000);
  });
});
