import type { ScoresMessage } from '@holdfast/contracts';
import { aModel, aScoresMessage, START_MS } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { inconsistencyOf } from './consistency.ts';
import { segmentsOf } from './model-segments.ts';
import type { NotedScores } from './noted-scores.ts';
import { rowsByAsset, wantedOutcomes } from './outcome-rows.ts';

const other = { ...aModel, version: '2', digest: `sha256:${'2'.repeat(64)}` };

/** Four rows: 1 and 4 scored, 2 unscored, 3 rejected. */
function mixed(given: Partial<ScoresMessage> = {}): ScoresMessage {
  return {
    ...aScoresMessage({ first: 1, last: 4 }),
    assets: [
      {
        asset: 'pump-1',
        seq: [1, 4],
        t: [START_MS, START_MS + 3],
        score: [0.5, 0.9],
        level: [0, 2],
        above: {
          signals: ['pressure', 'flow'],
          row: [1],
          contribution: [[0.2, 0.8]],
          value: [[1, null]],
        },
      },
    ],
    unscored: [{ asset: 'pump-1', code: 'window-filling', seq: [2], t: [START_MS + 1] }],
    rejected: [{ asset: 'pump-1', code: 'out-of-range', detail: 'flow', seq: 3, t: START_MS + 2 }],
    ...given,
  };
}

describe('rows of a scores message', () => {
  it('are in order of sequence number, whatever list they stand in', () => {
    const rows = rowsByAsset(mixed(), 1).get('pump-1');
    expect(rows?.map(({ seq, outcome }) => [seq, outcome])).toEqual([
      [1, 'scored'],
      [2, 'unscored'],
      [3, 'rejected'],
      [4, 'scored'],
    ]);
  });

  it('leave out what was applied before', () => {
    expect(
      rowsByAsset(mixed(), 4)
        .get('pump-1')
        ?.map(({ seq }) => seq),
    ).toEqual([4]);
    expect(rowsByAsset(mixed(), 5).size).toBe(0);
  });

  it('keep their reasons when earlier rows are cut, largest share first', () => {
    const [row] = rowsByAsset(mixed(), 4).get('pump-1')!;
    expect(row?.explain?.()).toEqual([
      { signal: 'flow', share: 0.8, value: null },
      { signal: 'pressure', share: 0.2, value: 1 },
    ]);
  });

  it('have the model that the notes name for their entry, else that of the message', () => {
    const [first] = mixed().assets;
    const assets = [
      { asset: 'pump-1', seq: [4], t: [START_MS + 3], score: [0.9], level: [0 as const] },
      { ...first!, seq: [1], t: [START_MS], score: [0.5], level: [0 as const] },
    ];
    const models = [{ model: other, assets: [0, 17] }];
    const modelsOf = (message: NotedScores) =>
      rowsByAsset(message, 1)
        .get('pump-1')
        ?.map(({ model }) => model?.version);
    const own = aModel.version;
    expect(modelsOf({ ...mixed({ assets }), notes: { models } })).toEqual([
      own,
      undefined,
      undefined,
      '2',
    ]);
    expect(modelsOf(mixed({ assets }))).toEqual([own, undefined, undefined, own]);
  });

  it('make a segment for each model', () => {
    const assets = [
      { asset: 'pump-1', seq: [1, 3], t: [1, 3], score: [1, 3], level: [0 as const, 0 as const] },
      { asset: 'pump-1', seq: [2], t: [2], score: [2], level: [0 as const] },
    ];
    const noted = { ...mixed({ assets, unscored: [], rejected: [] }) };
    const rows = rowsByAsset({ ...noted, notes: { models: [{ model: other, assets: [1] }] } }, 1);
    expect(
      segmentsOf(rows.get('pump-1')!).map(({ model, columns }) => [model.version, columns.seq]),
    ).toEqual([
      [aModel.version, [1, 3]],
      ['2', [2]],
    ]);
  });

  it('give the outcomes that somebody waits for, and no others', () => {
    expect(wantedOutcomes(mixed({ want: [2, 3, 4] }))).toEqual([
      { seq: 4, outcome: 'scored', score: 0.9, level: 2 },
      { seq: 2, outcome: 'unscored', code: 'window-filling' },
      { seq: 3, outcome: 'rejected', code: 'out-of-range', detail: 'flow' },
    ]);
    expect(wantedOutcomes(mixed())).toEqual([]);
  });
});

describe('consistency of a scores message', () => {
  it('accepts one in which every sequence number stands once', () => {
    expect(inconsistencyOf(mixed())).toBeUndefined();
  });

  it.each<[string, Partial<ScoresMessage>, string]>([
    ['an end before the start', { first: 5 }, 'last'],
    ['a base within the batch', { base: 1 }, 'base'],
    ['a row too few', { rejected: [] }, 'rows of 1..4'],
    ['a huge range', { last: 9e15 }, 'rows of 1..9000000000000000'],
    ['scores of no model', { model: null }, 'model'],
    [
      'a row twice',
      { rejected: [{ asset: 'pump-1', code: 'x', detail: '', seq: 2, t: START_MS }] },
      'rejected[0].seq',
    ],
    [
      'a row outside',
      { rejected: [{ asset: 'pump-1', code: 'x', detail: '', seq: 9, t: START_MS }] },
      'rejected[0].seq',
    ],
    [
      'a time too few',
      { unscored: [{ asset: 'pump-1', code: 'x', seq: [2], t: [] }] },
      'unscored[0].t',
    ],
  ])('refuses %s', (_, given, path) => {
    expect(inconsistencyOf(mixed(given))?.path).toBe(path);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['a score too few', { score: [0.5] }, 'assets[0].score'],
    [
      'a reason for no row',
      { above: { signals: ['a'], row: [2], contribution: [[1]], value: [[1]] } },
      'assets[0].above.row[0]',
    ],
    [
      'a share too few',
      { above: { signals: ['a', 'b'], row: [1], contribution: [[1]], value: [[1, 1]] } },
      'assets[0].above.contribution[0]',
    ],
  ])('refuses %s', (_, given, path) => {
    const message = mixed({ model: { ...aModel } });
    Object.assign(message.assets[0]!, given);
    expect(inconsistencyOf(message)?.path).toBe(path);
  });
});
