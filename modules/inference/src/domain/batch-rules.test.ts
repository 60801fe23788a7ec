import { describeProblems } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { aBatch, anAsset } from '../testing/builders.ts';
import { batchProblems } from './batch-rules.ts';

const rows = [
  [1, 1],
  [2, 2],
  [3, 3],
];
const asset = anAsset({ rows });

describe('a batch', () => {
  it('with each sequence number once and columns of one length is right', () => {
    const other = anAsset({ asset: 'two', rows: [[1, 1]], seq: [4] });
    expect(batchProblems(aBatch([asset, other]))).toEqual([]);
  });

  it.each([
    [
      'a column too short',
      [
        {
          ...asset,
          values: [
            [1, 2, 3],
            [1, 2],
          ],
        },
      ],
      {},
      'assets[0].values[1]: 2 items is not allowed, must have 3 items',
    ],
    ['a time too few', [{ ...asset, t: asset.t.slice(1) }], {}, 'assets[0].t: 2 items'],
    [
      'a column too many',
      [{ ...asset, values: [...asset.values, [1, 2, 3]] }],
      {},
      'assets[0].values: 3 items',
    ],
    [
      'a lookback of another width',
      [{ ...asset, lookback: { t: [1], values: [[1]] } }],
      {},
      'assets[0].lookback.values: 1 items',
    ],
    [
      'a lookback column too short',
      [{ ...asset, lookback: { t: [1], values: [[1], []] } }],
      {},
      'assets[0].lookback.values[1]: 0 items',
    ],
    [
      'a signal twice',
      [{ ...asset, signals: ['a', 'a'] }],
      {},
      'assets[0].signals: must name each signal once',
    ],
    [
      'a sequence that stands still',
      [{ ...asset, seq: [1, 2, 2] }],
      { first: 1, last: 3 },
      'assets[0].seq[2]: 2 is not allowed, must be above 2',
    ],
    ['a base within it', [asset], { base: 1 }, 'base: 1 is not allowed, must be below first, 1'],
    ['a row that is not there', [asset], { last: 4 }, 'assets: 3 rows is not allowed, must be 4'],
    [
      'a row out of its range',
      [asset],
      { first: 2, last: 4 },
      'assets[0].seq[0]: 1 is not allowed, must be within 2 to 4',
    ],
    [
      'a number in two assets',
      [asset, anAsset({ asset: 'two', rows: [[1, 1]], seq: [2] })],
      { last: 4 },
      'assets[1].seq[0]: 2 is not allowed',
    ],
    [
      'an end before its beginning',
      [asset],
      { last: 0 },
      'last: 0 is not allowed, must be at least first, 1',
    ],
  ])('with %s is refused', (_, assets, range, text) => {
    expect(describeProblems(batchProblems(aBatch(assets, range)))).toContain(text);
  });
});
