import { describe, expect, it } from '@jest/globals';
import { skippedParts } from './skipped-parts.ts';

describe('skippedParts', () => {
  it('gives every skipped row to one part, with the reason of those that the sender has lost', () => {
    expect(
      skippedParts({ first: 5, last: 20 }, [
        [18, 30, 'disk'],
        [1, 6, 'disk'],
        [8, 9, 'log'],
      ]),
    ).toEqual([
      { first: 5, last: 6, lost: 'disk' },
      { first: 7, last: 7, lost: undefined },
      { first: 8, last: 9, lost: 'log' },
      { first: 10, last: 17, lost: undefined },
      { first: 18, last: 20, lost: 'disk' },
    ]);
  });

  it('takes rows for those of a lost store when the sender says nothing', () => {
    expect(skippedParts({ first: 1, last: 3 }, [])).toEqual([
      { first: 1, last: 3, lost: undefined },
    ]);
  });
});
