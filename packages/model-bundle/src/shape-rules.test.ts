import { BundleManifest, check, describeProblems } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { shapeProblems } from './shape-rules.ts';

const window = {
  tensor: 'window',
  signals: [{ name: 'a', unit: '1' }],
  periodMs: 1_000,
  rows: 60,
  gapMsMax: 5_000,
};
const image = { kind: 'image', tensor: 'data', width: 32, height: 32 };
const score = { score: 'score' };

/** What is wrong with a manifest, as one line; empty if nothing. */
function problemsOf(inputs: object, outputs: object = score): string {
  const document = {
    v: 1,
    name: 'm',
    version: '1',
    inputs,
    outputs,
    levels: { warning: 1, alarm: 2 },
    opset: 17,
    files: {},
  };
  const checked = check(BundleManifest, document);
  return describeProblems(checked.ok ? shapeProblems(checked.value) : checked.problems);
}
const signals = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ name: `s${index}`, unit: '1' }));

describe('a manifest', () => {
  it('of a window that never fits into a message is refused with the arithmetic', () => {
    expect(problemsOf({ ...window, rows: 3_000, signals: signals(8) })).toBe('');
    expect(problemsOf({ ...window, rows: 3_600, signals: signals(8) })).toBe(
      'inputs.rows: 3600 is not allowed, needs 3599 rows of lookback with about 78 bytes each for 8 signals, together 280722 bytes; a message of 245760 bytes holds 3124 such rows beside its first, so no window would ever be full',
    );
  });

  it('whose resampling needs more lookback than there is is refused with the numbers', () => {
    const resample = { method: 'mean', sourcePeriodMs: 10 };
    expect(problemsOf({ ...window, rows: 31, resample })).toBe('');
    expect(problemsOf({ ...window, resample })).toBe(
      'inputs.rows: 60 is not allowed, needs 6400 rows of lookback at 1000 ms out of rows 10 ms apart, must need at most 3600',
    );
  });

  it.each([
    [{ signals: [{ name: 'a', unit: '1', scale: 0 }] }, 'signals[0].scale: 0 is not allowed'],
    [{ fillMsMax: 10 }, 'inputs.fillMsMax: 10 is not allowed, must be left out with fill "none"'],
    [{ resample: { method: 'last', sourcePeriodMs: 6_000 } }, 'must be at most inputs.gapMsMax'],
    [{ resample: { method: 'last' }, fill: 'hold' }, 'inputs.fill: "hold" is not allowed'],
    [{ resample: { method: 'mean' }, fill: 'linear' }, 'must be "none" or "hold"'],
    [{ resample: { method: 'median' } }, 'must be "last" or "mean" or "linear"'],
    [{ hopMs: 0 }, 'inputs.hopMs: 0 is not allowed, must be at least 1'],
    [{ kind: 'sound' }, 'inputs.kind'],
  ])('of a window with %j is refused', (change, message) => {
    expect(problemsOf({ ...window, ...change })).toContain(message);
  });

  it.each([
    [{ std: [1, 2] }, 'inputs.std: [1,2] is not allowed, must have 3 items'],
    [{ std: 0 }, 'inputs.std: 0 is not allowed, must not be 0'],
    [{ datatype: 'UINT8', mean: 1 }, 'must be left out with datatype "UINT8"'],
    [{ width: 5_000 }, 'inputs.width: 5000 is not allowed, must be at most 4096'],
    [{ rows: 3 }, 'inputs.rows: is not a known name'],
  ])('of an image with %j is refused', (change, message) => {
    expect(problemsOf({ ...image, ...change })).toContain(message);
  });

  const classes = { kind: 'class', probabilities: 'p', labels: ['ok', 'worn'] };
  const boxes = { kind: 'detection', form: 'grid', grid: 'g', labels: ['a'], anchors: [[1, 1]] };
  it.each([
    ['neither normal nor abnormal', window, classes, 'outputs.normal: must be given'],
    ['both', window, { ...classes, normal: ['ok'], abnormal: ['worn'] }, 'but not both'],
    ['a strange label', window, { ...classes, normal: ['no'] }, 'must be one of outputs.labels'],
    ['a label twice', window, { ...classes, labels: ['a', 'a'], normal: ['a'] }, 'be unique'],
    ['boxes of a window', window, boxes, 'outputs.kind: "detection" is not allowed'],
    [
      'an image again',
      image,
      { kind: 'reconstruction', reconstruction: 'r' },
      'outputs.kind: "reconstruction" is not allowed, must be "class", "detection" or "score"',
    ],
    [
      'the spread of two signals',
      window,
      { kind: 'reconstruction', reconstruction: 'r', spread: [1, 2] },
      'outputs.spread: [1,2] is not allowed, must have 1 items',
    ],
    ['an unknown kind', window, { kind: 'words' }, 'outputs.kind'],
  ])('with %s for output is refused', (_, inputs, outputs, message) => {
    expect(problemsOf(inputs, outputs)).toContain(message);
  });

  it('of each kind is accepted', () => {
    expect(problemsOf({ ...window, fill: 'linear', fillMsMax: 3_000, hopMs: 60_000 })).toBe('');
    expect(problemsOf(window, { ...classes, normal: ['ok'] })).toBe('');
    expect(problemsOf(window, { kind: 'reconstruction', reconstruction: 'r' })).toBe('');
    expect(problemsOf({ ...image, mean: [1, 2, 3] }, classes)).toBe('');
    expect(problemsOf(image, boxes)).toBe('');
  });
});
