import { describe, expect, it } from '@jest/globals';
import { roundScore } from './outcome.ts';

describe('a score', () => {
  it.each([
    [Math.fround(1.2345678), '1.2346'],
    [Math.fround(0.1), '0.1'],
    [Math.fround(0.0123456789), '0.0123457'],
    [Math.fround(123456.789), '123457'],
    [Math.fround(1e-20), '1e-20'],
    [-2.5, '-2.5'],
    [0, '0'],
  ])('of %p is written as %s', (score, text) => {
    expect(JSON.stringify(roundScore(score))).toBe(text);
  });

  it('that is not finite stays so', () => {
    expect(roundScore(Number.NaN)).toBeNaN();
    expect(roundScore(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});
