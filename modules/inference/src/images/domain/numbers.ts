import type { Tensor } from '../../domain/tensor.ts';
import { ScorerError } from '../../errors.ts';
import { fromHalf } from './half.ts';

/** The elements of a tensor as numbers. @throws ScorerError RUN_FAILED for strings */
export function numbersFrom({ name, datatype, data }: Tensor): Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return data;
  if (datatype === 'BYTES' || datatype === 'BF16') {
    throw new ScorerError('RUN_FAILED', `output "${name}" is ${datatype}, must hold numbers`);
  }
  const elements = data as ArrayLike<number | bigint>;
  const convert = datatype === 'FP16' ? (half: number | bigint) => fromHalf(Number(half)) : Number;
  return Float64Array.from({ length: elements.length }, (_, index) => convert(elements[index]!));
}
