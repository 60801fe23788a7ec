import type { BundleManifest, ReconstructionOutputs } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { aManifest } from '../testing/builders.ts';
import { postProcess } from './post-process.ts';
import type { Tensor } from './tensor.ts';

const floats = (shape: number[], ...values: number[]): Tensor => ({
  name: 'out',
  datatype: 'FP32',
  shape,
  data: Float32Array.from(values),
});
const scores = (
  outputs: BundleManifest['outputs'],
  given: { tensors: Tensor[]; count: number; rows?: number; windows?: number[] },
) => {
  const { scores: apply } = postProcess(aManifest({ rows: given.rows ?? 1 }, { outputs }));
  const found = apply(given.tensors, given.count, Float32Array.from(given.windows ?? []));
  return {
    score: [...found.score].map((score) => Number(score.toFixed(6))),
    ...(found.contributions && { contributions: [...found.contributions] }),
  };
};

describe('the score of a window', () => {
  it('is what the model says, scaled where the manifest says so', () => {
    const tensors = [floats([2, 1], 0.25, -0.5)];
    expect(scores({ score: 's' }, { tensors, count: 2 })).toEqual({ score: [0.25, -0.5] });
    const outputs = { score: 's', scale: -2, offset: 1 };
    expect(scores(outputs, { tensors, count: 2 })).toEqual({ score: [0.5, 2] });
  });

  const labels = ['ok', 'worn', 'blocked'];
  const classes = {
    kind: 'class' as const,
    probabilities: 'p',
    labels,
    activation: 'none' as const,
  };
  it('of classes is the probability of those that are abnormal, or not normal', () => {
    const tensors = [floats([2, 3], 0.75, 0.25, 0, 0.125, 0.375, 0.5)];
    const given = { tensors, count: 2 };
    expect(scores({ ...classes, normal: ['ok'] }, given)).toEqual({ score: [0.25, 0.875] });
    expect(scores({ ...classes, abnormal: ['blocked'] }, given)).toEqual({ score: [0, 0.5] });
  });

  it('of classes comes from logits by softmax or sigmoid, however large they are', () => {
    const tensors = [floats([2, 3], 0, Math.log(3), Math.log(4), 1_000, 0, -1_000)];
    const given = { tensors, count: 2 };
    const softmax = { ...classes, activation: 'softmax' as const, normal: ['ok'] };
    expect(scores(softmax, given)).toEqual({ score: [0.875, 0] });
    const sigmoid = { ...classes, activation: 'sigmoid' as const, abnormal: ['ok', 'blocked'] };
    expect(scores(sigmoid, given)).toEqual({ score: [1.3, 1] });
  });

  it('of a reconstruction is the size of the differences, with each signal as part of it', () => {
    const given = {
      tensors: [floats([1, 2, 2], 1, 10, 2, 26)],
      count: 1,
      rows: 2,
      windows: [1, 12, 5, 20],
    };
    const outputs: ReconstructionOutputs = {
      kind: 'reconstruction',
      reconstruction: 'r',
      of: 'window',
      error: 'mean-square',
    };
    const changed = (change: Partial<ReconstructionOutputs>) => ({ ...outputs, ...change });
    expect(scores(outputs, given).score).toEqual([(9 + 4 + 36) / 4]);
    expect(scores(changed({ error: 'root-mean-square' }), given).score).toEqual([3.5]);
    const shared = scores(changed({ error: 'mean-absolute', spread: [3, 2] }), given);
    expect(shared.score).toEqual([(1 + 4) / 4]);
    expect(shared.contributions?.[1]).toBeCloseTo(0.8);
    const newest = { ...given, tensors: [floats([1, 2], 2, 26)] };
    expect(scores(changed({ of: 'newest' }), newest).score).toEqual([(9 + 36) / 2]);
    const same = { ...given, tensors: [floats([1, 2, 2], 1, 12, 5, 20)] };
    expect(scores(outputs, same)).toEqual({ score: [0], contributions: [0.5, 0.5] });
  });

  it('is not made of an output of another type or size', () => {
    expect(() => scores({ score: 's' }, { tensors: [floats([3], 1, 2, 3)], count: 2 })).toThrow(
      expect.objectContaining({
        code: 'RUN_FAILED',
        message: 'output "s" has shape [3], must hold 2 numbers',
      }),
    );
    const whole: Tensor = { name: 's', datatype: 'INT64', shape: [1], data: new BigInt64Array(1) };
    expect(() => scores({ score: 's' }, { tensors: [whole], count: 1 })).toThrow('not float32');
  });
});
