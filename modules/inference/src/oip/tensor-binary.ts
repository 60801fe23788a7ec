import { DATATYPE_BYTES, type Datatype, type TensorData } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';
import { elementsOf, showShape } from './tensor-shape.ts';

type View = new (
  buffer: ArrayBuffer,
  offset: number,
  length: number,
) => Exclude<TensorData, readonly Uint8Array[]>;

/** FP16 and BF16 are their bits. */
export const VIEWS: Record<Exclude<Datatype, 'BYTES'>, View> = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  BF16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
};

/** Bytes before each element of a BYTES tensor: its length, little-endian. */
const PREFIX = 4;

/**
 * Elements from their bytes: little-endian, row-major; a view of `bytes` where its address allows, else a copy.
 * @throws ApiError 400 when the number of bytes is not that of the shape; `where` names the tensor
 */
export function fromBinary(
  tensor: { datatype: Datatype; shape: readonly number[] },
  bytes: Uint8Array<ArrayBuffer>,
  where: string,
): TensorData {
  const { datatype, shape } = tensor;
  const elements = elementsOf(shape, datatype, where);
  if (datatype === 'BYTES') return unpackBytes(bytes, elements, where);
  const size = DATATYPE_BYTES[datatype];
  if (bytes.byteLength !== elements * size) {
    const wanted = `must be ${elements * size} for ${datatype} ${showShape(shape)}`;
    throw wrong(`${where}: has ${bytes.byteLength} bytes of binary data, ${wanted}`);
  }
  // A tensor may begin anywhere in a body, but a typed array only at a multiple of its element's size.
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const data = new VIEWS[datatype](aligned.buffer, aligned.byteOffset, elements);
  if (datatype === 'BOOL') checkBooleans(data as Uint8Array, where);
  return data;
}

function checkBooleans(data: Uint8Array, where: string): void {
  const at = data.findIndex((value) => value > 1);
  if (at >= 0) throw wrong(`${where}: byte ${at} is ${data[at]}, must be 0 or 1 for BOOL`);
}

function unpackBytes(bytes: Uint8Array<ArrayBuffer>, count: number, where: string): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.byteLength) {
    if (elements.length === count) {
      throw wrong(`${where}: has more elements in its binary data than its shape says, ${count}`);
    }
    const from = at + PREFIX;
    const to = from > bytes.byteLength ? Number.NaN : from + view.getUint32(at, true);
    // Also true for the length that is itself cut off.
    if (!(to <= bytes.byteLength)) {
      throw wrong(`${where}: element ${elements.length} goes beyond the end of its binary data`);
    }
    elements.push(bytes.subarray(from, to));
    at = to;
  }
  if (elements.length === count) return elements;
  throw wrong(`${where}: has ${elements.length} elements in its binary data, must be ${count}`);
}

/** Bytes of a tensor, as `fromBinary` reads them. */
export function toBinary(data: TensorData): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : packBytes(data as readonly Uint8Array[]);
}

export function packBytes(elements: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = elements.reduce((sum, element) => sum + PREFIX + element.byteLength, 0);
  const packed = new Uint8Array(length);
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const element of elements) {
    view.setUint32(at, element.byteLength, true);
    packed.set(element, at + PREFIX);
    at += PREFIX + element.byteLength;
  }
  return packed;
}
