import { isMarkedAsUntransferable } from 'node:worker_threads';
import type { Tensor } from '../domain/tensor.ts';
import type { Elements, WireTensor } from './onnx-messages.ts';

/** A tensor as it goes to the other thread. Only BYTES is copied, and what is in a buffer that must stay here. */
export function pack({ name, datatype, shape, data }: Tensor): WireTensor {
  if (!Array.isArray(data)) {
    const elements = data as Elements;
    return { name, datatype, shape, data: mayLeave(elements) ? elements : elements.slice() };
  }
  const elements: readonly Uint8Array[] = data;
  const sizes = Uint32Array.from(elements, (element) => element.length);
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
  let at = 0;
  for (const element of elements) {
    bytes.set(element, at);
    at += element.length;
  }
  return { name, datatype, shape, data: bytes, sizes };
}

/** The tensor again; elements of BYTES are views on one buffer. */
export function unpack({ name, datatype, shape, data, sizes }: WireTensor): Tensor {
  if (sizes === undefined) return { name, datatype, shape, data };
  let at = 0;
  const elements = Array.from(sizes, (size) => {
    at += size;
    return (data as Uint8Array).subarray(at - size, at);
  });
  return { name, datatype, shape, data: elements };
}

/** Each buffer once: two tensors may be views of one. */
export const buffersOf = (tensors: readonly WireTensor[]): ArrayBuffer[] => [
  ...new Set(
    tensors.flatMap(({ data, sizes }) =>
      sizes === undefined ? [data.buffer] : [data.buffer, sizes.buffer],
    ),
  ),
];

/** Node cuts small Buffers from a pool, which cannot leave its thread. */
const mayLeave = ({ buffer }: Elements): boolean => !isMarkedAsUntransferable(buffer);
