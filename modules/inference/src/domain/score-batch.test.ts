import { check, ScoresMessage } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import {
  aBatch,
  aManifest,
  aModel,
  anAsset,
  FakeScorer,
  IDENTITY,
  options,
} from '../testing/builders.ts';
import { scoreBatch } from './score-batch.ts';

describe('the scores of a batch', () => {
  it('have level and, above the warning level, the reasons', async () => {
    const asset = anAsset({
      rows: [
        [1, 1],
        [10, 20],
        [100, 0],
      ],
    });
    const message = await scoreBatch(aBatch([asset]), aModel(aManifest()), options);
    expect(message.assets).toEqual([
      {
        asset: 'pump-1',
        seq: [1, 2, 3],
        t: asset.t,
        score: [3, 50, 100],
        level: [0, 1, 2],
        above: {
          signals: ['a', 'b'],
          row: [1, 2],
          contribution: [
            [0.5, 0.5],
            [0.5, 0.5],
          ],
          value: [
            [10, 20],
            [100, 0],
          ],
        },
      },
    ]);
    expect(check(ScoresMessage, message).ok).toBe(true);
  });

  it('pass on position, acceptance time and who waits', async () => {
    const given = { stream: 'ingest-3', epoch: 'e7', acceptedMs: 12_345, want: [2] };
    const batch = aBatch(
      [
        anAsset({
          rows: [
            [1, 1],
            [2, 2],
          ],
        }),
      ],
      given,
    );
    const message = await scoreBatch(batch, aModel(aManifest()), options);
    expect(message).toMatchObject({ ...given, first: 1, last: 2, model: IDENTITY });
  });

  it('without a model leave every row unscored', async () => {
    const batch = aBatch([
      anAsset({
        rows: [
          [1, 1],
          [2, 2],
        ],
      }),
    ]);
    const message = await scoreBatch(batch, undefined, options);
    expect(message).toMatchObject({ model: null, assets: [], rejected: [] });
    expect(message.unscored).toEqual([
      { asset: 'pump-1', code: 'no-model', seq: [1, 2], t: batch.assets[0]!.t },
    ]);
  });

  it('without contributions have no reasons', async () => {
    const manifest = aManifest({}, { outputs: { score: 'score' } });
    const message = await scoreBatch(
      aBatch([anAsset({ rows: [[90, 90]] })]),
      aModel(manifest),
      options,
    );
    expect(message.assets[0]).toMatchObject({ level: [2] });
    expect(message.assets[0]).not.toHaveProperty('above');
  });

  it('reject a row on which the model fails and score the rows around it', async () => {
    const manifest = aManifest();
    const scorer = new FakeScorer(manifest.inputs, (window) =>
      window[0] === 13 ? 'RUN_FAILED' : undefined,
    );
    const batch = aBatch([
      anAsset({
        asset: 'one',
        rows: [
          [1, 1],
          [13, 1],
        ],
        seq: [1, 3],
      }),
      anAsset({
        asset: 'two',
        rows: [
          [2, 2],
          [13, 0],
        ],
        seq: [2, 4],
      }),
    ]);
    const message = await scoreBatch(batch, aModel(manifest, scorer), options);
    expect(message.assets.map((asset) => [asset.asset, asset.seq, asset.score])).toEqual([
      ['one', [1], [3]],
      ['two', [2], [6]],
    ]);
    expect(message.rejected).toEqual([
      { asset: 'one', seq: 3, t: batch.assets[0]!.t[1], code: 'MODEL_FAILED', detail: 'poisoned' },
      { asset: 'two', seq: 4, t: batch.assets[1]!.t[1], code: 'MODEL_FAILED', detail: 'poisoned' },
    ]);
  });

  it('reject what is not a number', async () => {
    const batch = aBatch([
      anAsset({
        rows: [
          [1e300, 0],
          [1, 1],
        ],
      }),
    ]);
    const message = await scoreBatch(batch, aModel(aManifest()), options);
    expect(message.rejected).toMatchObject([
      { seq: 1, code: 'NON_FINITE_SCORE', detail: 'score is Infinity' },
    ]);
    expect(message.assets[0]?.seq).toEqual([2]);
  });

  it('reject a row above the warning level whose contributions are not numbers', async () => {
    const scorer = {
      room: (length: number) => new Float32Array(length),
      run: async (_: Float32Array, count: number) => ({
        score: new Float32Array(count).fill(75),
        contributions: new Float32Array(count * 2).fill(Number.NaN),
      }),
    };
    const message = await scoreBatch(
      aBatch([anAsset({ rows: [[1, 1]] })]),
      aModel(aManifest(), scorer),
      options,
    );
    expect(message.rejected[0]).toMatchObject({
      code: 'NON_FINITE_SCORE',
      detail: 'contribution of a is NaN',
    });
  });

  it('are the same whatever the size of the runs', async () => {
    const rows = Array.from({ length: 50 }, (_, row) => [row, row * 2]);
    const manifest = aManifest({ rows: 4 });
    const scorer = new FakeScorer(manifest.inputs);
    const whole = await scoreBatch(aBatch([anAsset({ rows })]), aModel(manifest, scorer), options);
    expect(scorer.runs).toBe(1);
    const parts = await scoreBatch(aBatch([anAsset({ rows })]), aModel(manifest, scorer), {
      ...options,
      windowsPerRunMax: 7,
    });
    expect(scorer.runs).toBe(1 + 7);
    expect(JSON.stringify(parts)).toBe(JSON.stringify(whole));
  });
});
