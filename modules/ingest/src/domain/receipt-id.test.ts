import { describe, expect, it } from '@jest/globals';
import { progressOf, rangesOf, readReceiptId, receiptIdOf } from './receipt-id.ts';

const ranges = [
  { partition: 0, epoch: 'e0', first: 5, last: 9 },
  { partition: 3, epoch: 'e-3', first: 1, last: 1 },
];

describe('receipt id', () => {
  it('gives back what went in', () => {
    expect(readReceiptId(receiptIdOf(ranges))).toEqual(ranges);
  });

  it.each(['', 'x', '0.e.2.1', '0.e.0.1', '0.e.1', '0.e/.1.2', '0.e.1.2_', '0.e.1.zzzzzzzzzzzz'])(
    'refuses %p',
    (id) => {
      expect(readReceiptId(id)).toBeUndefined();
    },
  );

  it('joins neighbours of one partition and keeps holes open', () => {
    const positions = [
      { partition: 1, seq: 7 },
      { partition: 0, seq: 3 },
      { partition: 1, seq: 8 },
      { partition: 1, seq: 10 },
    ];
    expect(rangesOf(positions, () => 'e')).toEqual([
      { partition: 0, epoch: 'e', first: 3, last: 3 },
      { partition: 1, epoch: 'e', first: 7, last: 8 },
      { partition: 1, epoch: 'e', first: 10, last: 10 },
    ]);
  });

  it.each([
    [4, 0, 0, false],
    [5, 0, 1, false],
    [9, 0, 5, false],
    [20, 1, 6, true],
  ])('with receipts through %d and %d has applied %d', (first, second, applied, complete) => {
    const progress = progressOf(ranges, ({ partition }) => (partition === 0 ? first : second));
    expect(progress).toEqual({ accepted: 6, applied, complete });
  });

  it('cannot say anything about an epoch that is over', () => {
    expect(progressOf(ranges, () => undefined)).toBeUndefined();
  });
});
