import type { Tensor } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';

/**
 * The highest values of an output with their indexes, as the classification extension wants them: BYTES
 * `value:index[:label]`, highest first, `[batch, classes]` or, of a vector, `[classes]`.
 * @throws ApiError 400 when the output is not of numbers
 */
export function classify(tensor: Tensor, classes: number, labels?: readonly string[]): Tensor {
  const { name, datatype, shape, data } = tensor;
  if (['BYTES', 'BOOL', 'FP16', 'BF16'].includes(datatype)) {
    throw wrong(`output "${name}": classification is for numbers, the output is ${datatype}`);
  }
  const batch = shape.length > 1 ? shape[0]! : 1;
  const values = data as Float32Array | BigInt64Array;
  const width = batch === 0 ? 0 : values.length / batch;
  const most = Math.min(classes, width);
  const elements: Uint8Array[] = [];
  for (let row = 0; row < batch; row += 1) {
    const ofRow: ArrayLike<number | bigint> = values.subarray(row * width, (row + 1) * width);
    for (const index of highest(ofRow, most)) {
      const label = labels?.[index];
      const text = `${ofRow[index]}:${index}${label === undefined ? '' : `:${label}`}`;
      elements.push(Buffer.from(text));
    }
  }
  const newShape = shape.length > 1 ? [batch, most] : [most];
  return { name, datatype: 'BYTES', shape: newShape, data: elements };
}

/** Indexes in falling order of value; of equal values the first one first; what is no number comes last. */
function highest(values: ArrayLike<number | bigint>, count: number): number[] {
  const order = Array.from(values, (value, index) => ({
    value: Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value,
    index,
  }));
  order.sort((a, b) => (a.value === b.value ? a.index - b.index : a.value < b.value ? 1 : -1));
  return order.slice(0, count).map(({ index }) => index);
}
