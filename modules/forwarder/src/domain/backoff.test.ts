import { describe, expect, it } from '@jest/globals';
import { nextPause } from './backoff.ts';

describe('pause between tries', () => {
  it('grows from the base to the cap and never leaves them', () => {
    const range = { baseMs: 500, capMs: 30_000 };
    expect(nextPause(0, 0.99, range)).toBe(500);
    expect(nextPause(1_000, 0, range)).toBe(500);
    expect(nextPause(1_000, 0.5, range)).toBe(1_750);
    expect(nextPause(20_000, 0.99, range)).toBe(30_000);
  });
});
