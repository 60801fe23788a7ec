import type { ClassOutputs } from '@holdfast/contracts';

/** 1 / (1 + e^-x), without overflow for any x. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const power = Math.exp(x);
  return power / (1 + power);
}

/** Probabilities of the classes of one row, `[class]`; the row itself where it holds them already. */
export function probabilitiesOf(
  row: ArrayLike<number>,
  activation: ClassOutputs['activation'],
): ArrayLike<number> {
  if (activation === 'none') return row;
  const result = new Float64Array(row.length);
  if (activation === 'sigmoid') {
    for (let index = 0; index < row.length; index += 1) result[index] = sigmoid(row[index]!);
    return result;
  }
  let most = Number.NEGATIVE_INFINITY;
  for (let index = 0; index < row.length; index += 1) most = Math.max(most, row[index]!);
  let sum = 0;
  for (let index = 0; index < row.length; index += 1) {
    result[index] = Math.exp(row[index]! - most);
    sum += result[index]!;
  }
  for (let index = 0; index < row.length; index += 1) result[index]! /= sum;
  return result;
}
