import { START_MS } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { aManifest, anAsset } from '../testing/builders.ts';
import { planAsset, writeWindow } from './window.ts';

const three = aManifest({ rows: 3, signals: [{ name: 'a', unit: '1' }] }).inputs;
const holding = { ...three, fill: 'hold' as const };
const seconds = (...values: number[]): number[] => values.map((value) => START_MS + value * 1_000);
const column = (...values: (number | null)[]) => values.map((value) => [value]);

/** What becomes of each row, in order. */
const fates = (...given: Parameters<typeof planAsset>): string[] => {
  const plan = planAsset(...given);
  const fate: string[] = [];
  for (const row of plan.scored) fate[row] = 'scored';
  for (const { row, code } of plan.rejected) fate[row] = code;
  for (const [code, rows] of plan.unscored) for (const row of rows) fate[row] = code;
  return fate;
};
const windowOf = (asset: ReturnType<typeof anAsset>, row: number, inputs = three): number[] => {
  const into = new Float32Array(inputs.rows * inputs.signals.length);
  writeWindow(planAsset(asset, inputs), row, into, 0);
  return [...into];
};

describe('a window', () => {
  it('is scored from the row on that fills it', () => {
    const asset = anAsset({ rows: column(1, 2, 3, 4) });
    expect(fates(asset, three)).toEqual(['window-filling', 'window-filling', 'scored', 'scored']);
    expect(windowOf(asset, 2)).toEqual([1, 2, 3]);
    expect(windowOf(asset, 3)).toEqual([2, 3, 4]);
  });

  it('reaches back into the lookback', () => {
    const asset = anAsset({ rows: column(3, 4), lookback: { rows: column(0, 1, 2) } });
    expect(fates(asset, three)).toEqual(['scored', 'scored']);
    expect(windowOf(asset, 0)).toEqual([1, 2, 3]);
  });

  it('takes the signals by name, in the order of the model, and leaves others out', () => {
    const inputs = aManifest({
      signals: [
        { name: 'b', unit: '1' },
        { name: 'a', unit: '1' },
      ],
    }).inputs;
    const asset = anAsset({ rows: [[1, 2, 3]], signals: ['a', 'x', 'b'] });
    expect(windowOf(asset, 0, inputs)).toEqual([3, 1]);
  });

  it('never bridges a gap longer than allowed', () => {
    const within = anAsset({ rows: column(1, 2, 3), t: seconds(0, 1, 6) });
    const beyond = anAsset({ rows: column(1, 2, 3), t: [...seconds(0, 1), START_MS + 6_001] });
    expect(fates(within, three)[2]).toBe('scored');
    expect(fates(beyond, three)[2]).toBe('window-filling');
  });

  it('never bridges a gap between lookback and batch', () => {
    const asset = anAsset({
      rows: column(3),
      lookback: { rows: column(1, 2), t: seconds(-9, -8) },
    });
    expect(fates(asset, three)).toEqual(['window-filling']);
  });

  it('takes a clock that was set back as a gap, and a repeated time as a neighbour', () => {
    const back = anAsset({ rows: column(1, 2, 3, 4, 5), t: seconds(10, 11, 5, 6, 7) });
    const same = anAsset({ rows: column(1, 2, 3), t: seconds(10, 11, 11) });
    expect(fates(back, three).slice(2)).toEqual(['window-filling', 'window-filling', 'scored']);
    expect(fates(same, three)[2]).toBe('scored');
  });

  it('fills anew after a row with a missing value', () => {
    const asset = anAsset({ rows: column(1, 2, 3, null, 5, 6, 7) });
    expect(fates(asset, three).slice(2)).toEqual([
      'scored',
      'missing-value',
      'window-filling',
      'window-filling',
      'scored',
    ]);
  });

  it('holds the last value of the same window when the bundle says so', () => {
    const asset = anAsset({ rows: column(1, null, null, 4, 5) });
    expect(fates(asset, holding)).toEqual([
      'window-filling',
      'window-filling',
      'scored',
      'missing-value',
      'missing-value',
    ]);
    expect(windowOf(asset, 2, holding)).toEqual([1, 1, 1]);
  });

  it('rejects a value out of range with signal, value and range, and fills anew after it', () => {
    const inputs = { ...three, signals: [{ name: 'a', unit: 'bar', min: 0, max: 10 }] };
    const asset = anAsset({ rows: column(0, 10, 5, 10.5, 1) });
    expect(fates(asset, inputs)).toEqual([
      'window-filling',
      'window-filling',
      'scored',
      'OUT_OF_RANGE',
      'window-filling',
    ]);
    expect(planAsset(asset, inputs).rejected[0]?.detail).toBe('a: 10.5 bar is not within 0 to 10');
  });

  it('does not use a row of the lookback that is out of range', () => {
    const inputs = { ...three, signals: [{ name: 'a', unit: 'bar', min: 0 }] };
    const asset = anAsset({ rows: column(3), lookback: { rows: column(1, -2) } });
    expect(fates(asset, inputs)).toEqual(['window-filling']);
  });

  it('of an asset without one of the signals is not scored', () => {
    const asset = anAsset({ rows: column(1, 2), signals: ['other'] });
    expect(fates(asset, three)).toEqual(['unknown-signals', 'unknown-signals']);
  });

  it('of one row needs no neighbours', () => {
    const inputs = { ...three, rows: 1 };
    const asset = anAsset({ rows: column(1, null, 3), t: seconds(0, 100, 50) });
    expect(fates(asset, inputs)).toEqual(['scored', 'missing-value', 'scored']);
  });

  it('holds the values in the unit of the model, and is judged by the unit of the readings', () => {
    const celsius = [{ name: 'a', unit: 'degF', min: 0, max: 300, scale: 5 / 9, offset: -160 / 9 }];
    const inputs = { ...three, rows: 1, signals: celsius };
    const asset = anAsset({ rows: column(212, 301) });
    expect(fates(asset, inputs)).toEqual(['scored', 'OUT_OF_RANGE']);
    expect(windowOf(asset, 0, inputs)[0]).toBeCloseTo(100, 4);
    expect(planAsset(asset, inputs).columns[0]?.[0]).toBe(212);
  });

  it('is not scored when a value would stand in for too long', () => {
    const inputs = { ...three, rows: 4, fill: 'hold' as const, fillMsMax: 1_000 };
    const asset = anAsset({ rows: column(1, null, 3, 4, null, null, 7, 8, 9, 10) });
    expect(fates(asset, inputs).slice(3)).toEqual([
      'scored',
      'missing-value',
      'missing-value',
      'missing-value',
      'missing-value',
      'missing-value',
      'scored',
    ]);
    expect(windowOf(asset, 3, inputs)).toEqual([1, 1, 3, 4]);
  });

  it('with linear fill takes the straight line in time between whole rows', () => {
    const inputs = { ...three, rows: 4, fill: 'linear' as const, fillMsMax: 4_000 };
    const asset = anAsset({
      rows: column(0, null, null, 4, 5, null, 7, 8),
      t: seconds(0, 1, 3, 4, 5, 6, 10, 11),
    });
    expect(fates(asset, inputs)).toEqual([
      'window-filling',
      'window-filling',
      'window-filling',
      'scored',
      'missing-value',
      'missing-value',
      'missing-value',
      'missing-value',
    ]);
    expect(windowOf(asset, 3, inputs)).toEqual([0, 1, 3, 4]);
  });

  it('is scored once a hop, for the first row of each stretch of time', () => {
    const inputs = { ...three, rows: 1, hopMs: 10_000 };
    const asset = anAsset({
      rows: column(1, 2, null, 4, 5, 6),
      t: seconds(11, 12, 20, 21, 35, 34).map((t) => t - (START_MS % 10_000)),
      lookback: { rows: column(0), t: seconds(10).map((t) => t - (START_MS % 10_000)) },
    });
    expect(fates(asset, inputs)).toEqual([
      'between-hops',
      'between-hops',
      'missing-value',
      'between-hops',
      'scored',
      'between-hops',
    ]);
  });
});

describe('a resampled window', () => {
  const resampled = (method: 'last' | 'mean' | 'linear', fill: 'none' | 'hold' = 'none') => ({
    ...three,
    periodMs: 1_000,
    gapMsMax: 2_000,
    fill,
    resample: { method, sourcePeriodMs: 250 },
  });
  const fast = anAsset({
    rows: column(0, 1, 2, 3, 4, 5, null, 7),
    t: seconds(0, 0.5, 1, 1.5, 2, 2.5, 2.75, 3),
  });

  it('is filled once its oldest point has a value at or before it', () => {
    const expected = Array(4).fill('window-filling').concat(Array(4).fill('scored'));
    expect(fates(fast, resampled('last'))).toEqual(expected);
    expect(fates(fast, resampled('linear'))).toEqual(expected);
    expect(fates(fast, resampled('mean'))).toEqual(expected);
  });

  it('holds the newest value, the straight line or the mean at each point', () => {
    expect(windowOf(fast, 6, resampled('last'))).toEqual([1, 3, 5]);
    expect(windowOf(fast, 6, resampled('linear'))).toEqual([1.5, 3.5, 5]);
    expect(windowOf(fast, 7, resampled('linear'))).toEqual([2, 4, 7]);
    expect(windowOf(fast, 7, resampled('mean'))).toEqual([1.5, 3.5, 6]);
  });

  it('of means needs a value in every period, or one before it that is held', () => {
    const slow = anAsset({ rows: column(1, 2, 3, 5), t: seconds(0, 1, 2, 4) });
    expect(fates(slow, resampled('mean')).slice(2)).toEqual(['scored', 'missing-value']);
    expect(windowOf(slow, 3, resampled('mean', 'hold'))).toEqual([3, 3, 5]);
  });

  it('bridges no hole, no clock set back and no row out of range', () => {
    const hole = anAsset({ rows: column(1, 2, 3), t: seconds(0, 2.001, 3) });
    expect(fates(hole, resampled('last'))[2]).toBe('window-filling');
    const back = anAsset({ rows: column(9, 1, 2, 3), t: seconds(5, 0, 1, 2) });
    expect(fates(back, resampled('mean')).slice(1)).toEqual([
      'window-filling',
      'window-filling',
      'scored',
    ]);
    expect(windowOf(back, 3, resampled('mean'))).toEqual([1, 2, 3]);
    const inputs = { ...resampled('last'), signals: [{ name: 'a', unit: '1', max: 10 }] };
    const broken = anAsset({ rows: column(1, 2, 11, 4, 5, 6), t: seconds(0, 1, 2, 3, 4, 5) });
    expect(fates(broken, inputs)).toEqual([
      'window-filling',
      'window-filling',
      'OUT_OF_RANGE',
      'window-filling',
      'window-filling',
      'scored',
    ]);
  });

  it('lacks a value when a signal has been silent for too long', () => {
    const inputs = {
      ...resampled('last'),
      signals: ['a', 'b'].map((name) => ({ name, unit: '1' })),
    };
    const rows = [0, 1, 2, 3, 4, 5].map((value) => [value, value < 3 ? value : null]);
    expect(fates(anAsset({ rows }), inputs).slice(2)).toEqual([
      'scored',
      'scored',
      'scored',
      'missing-value',
    ]);
  });
});
