import { describe, expect, it } from '@jest/globals';
import { Line } from './line.ts';
import { seeded } from './seeded.ts';

const shape = (given: object) => ({
  ...{ latencyMs: 0, bytesPerSecond: undefined, loss: 0, random: seeded(1).next },
  ...given,
});

/** When each packet of so many bytes has arrived that were given at 0 ms, in ms. */
function arrivals(line: Line, bytes: number): number[] {
  const connection = line.connection(0);
  const times: number[] = [];
  let nowMs = 0;
  for (let left = bytes; left > 0; ) {
    const { packetBytes, leftMs, arrivedMs } = line.send(connection, left, nowMs);
    times.push(arrivedMs);
    left -= packetBytes;
    nowMs = leftMs;
  }
  return times;
}

const arrival = (line: Line, bytes: number): number => arrivals(line, bytes).at(-1)!;

describe('a line', () => {
  it('has one rate for all connections', () => {
    const line = new Line(shape({ bytesPerSecond: 8_000 }));
    expect(arrival(line, 8_000)).toBeCloseTo(1_000);
    expect(arrival(line, 8_000)).toBeCloseTo(2_000);
  });

  it('delays what comes first by the handshake, and all by the way', () => {
    const line = new Line(shape({ latencyMs: 300 }));
    expect(arrival(line, 100)).toBe(900);
  });

  it('keeps the order and gets slower when packets are lost', () => {
    const good = arrival(new Line(shape({ latencyMs: 300 })), 200_000);
    const line = new Line(shape({ latencyMs: 300, loss: 0.02 }));
    const times = arrivals(line, 200_000);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    // By the formula 1400 / 0.6 * 1.22 / sqrt(0.02) = 20 kB/s.
    expect(times.at(-1)! - good).toBeGreaterThan(9_000);
  });
});
