import { isUtf8 } from 'node:buffer';
import { DATATYPE_BYTES, type Datatype, type Tensor, type TensorData } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';
import { show } from './show.ts';
import { packBytes, VIEWS } from './tensor-binary.ts';
import { elementsOf, showShape } from './tensor-shape.ts';

type Numbers = Exclude<TensorData, readonly Uint8Array[]>;

/** Puts JSON values into a tensor from `at` on. @throws ApiError 400 naming the first value that does not fit */
type Fill = (values: readonly unknown[], into: Numbers, at: number, where: string) => void;

const refuse = (where: string, at: number, value: unknown, allowed: string) => {
  const shown = show(value);
  return wrong(`${where}: data: element ${at}: ${shown} is not allowed, must be ${allowed}`);
};

const floats =
  (name: string): Fill =>
  (values, into, at, where) => {
    const numbers = into as Float64Array;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      if (typeof value === 'number' || typeof value === 'bigint') {
        numbers[at + index] = Number(value);
        // Not so for infinity, which is what a number too large for the type has become.
        if (numbers[at + index]! - numbers[at + index]! === 0) continue;
      }
      throw refuse(where, at + index, value, `a number within ${name}`);
    }
  };

const integers =
  (low: number, high: number): Fill =>
  (values, into, at, where) => {
    const numbers = into as Int32Array;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
        throw refuse(where, at + index, value, `a whole number from ${low} to ${high}`);
      }
      numbers[at + index] = value;
    }
  };

const longs =
  (low: bigint, high: bigint): Fill =>
  (values, into, at, where) => {
    const numbers = into as BigInt64Array;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      // A number beyond 2^53 that was not written as plain digits is no longer the number that was meant.
      const whole = Number.isSafeInteger(value) ? BigInt(value as number) : value;
      if (typeof whole !== 'bigint' || whole < low || whole > high) {
        throw refuse(where, at + index, value, `a whole number in digits, from ${low} to ${high}`);
      }
      numbers[at + index] = whole;
    }
  };

const booleans: Fill = (values, into, at, where) => {
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'boolean') throw refuse(where, at + index, value, 'true or false');
    (into as Uint8Array)[at + index] = value ? 1 : 0;
  }
};

const FILLS: Partial<Record<Datatype, Fill>> = {
  BOOL: booleans,
  UINT8: integers(0, 2 ** 8 - 1),
  UINT16: integers(0, 2 ** 16 - 1),
  UINT32: integers(0, 2 ** 32 - 1),
  UINT64: longs(0n, 2n ** 64n - 1n),
  INT8: integers(-(2 ** 7), 2 ** 7 - 1),
  INT16: integers(-(2 ** 15), 2 ** 15 - 1),
  INT32: integers(-(2 ** 31), 2 ** 31 - 1),
  INT64: longs(-(2n ** 63n), 2n ** 63n - 1n),
  FP32: floats('FP32'),
  FP64: floats('FP64'),
};

/**
 * The property `data` of a tensor, flat or nested as its shape is, as the bytes that `fromBinary` reads.
 * @throws ApiError 400; `where` names the tensor
 */
export function fromJson(
  tensor: { datatype: Datatype; shape: readonly number[] },
  data: unknown,
  where: string,
): Uint8Array<ArrayBuffer> {
  const { datatype, shape } = tensor;
  const elements = elementsOf(shape, datatype, where);
  if (!Array.isArray(data)) {
    throw wrong(`${where}: data: ${show(data)} is not allowed, must be an array`);
  }
  const leaves = leavesOf(data, shape, elements, where);
  if (datatype === 'BYTES') return packBytes(textBytes(leaves, where));
  const fill = FILLS[datatype];
  if (fill === undefined) {
    throw wrong(`${where}: ${datatype} has no form in JSON, send it as binary data`);
  }
  const buffer = new ArrayBuffer(elements * DATATYPE_BYTES[datatype]);
  const into = new VIEWS[datatype](buffer, 0, elements);
  let at = 0;
  for (const leaf of leaves) {
    fill(leaf, into, at, where);
    at += leaf.length;
  }
  return new Uint8Array(buffer);
}

/** The innermost arrays, in order. Nothing is made room for before it is known to be there. */
function leavesOf(
  data: readonly unknown[],
  shape: readonly number[],
  elements: number,
  where: string,
): (readonly unknown[])[] {
  const nested = shape.length > 1 && Array.isArray(data[0]);
  if (!nested) {
    if (data.length === elements) return [data];
    const wanted = `must have ${elements} for shape ${showShape(shape)}`;
    throw wrong(`${where}: data: has ${data.length} elements, ${wanted}`);
  }
  let level: (readonly unknown[])[] = [data];
  for (const [dimension, size] of shape.entries()) {
    const short = level.find((array) => array.length !== size);
    if (short !== undefined) {
      const wanted = `must have ${size} for shape ${showShape(shape)}`;
      throw wrong(
        `${where}: data: an array at level ${dimension} has ${short.length} elements, ${wanted}`,
      );
    }
    if (dimension === shape.length - 1) break;
    const inner = level.flat() as unknown[];
    const flat = inner.findIndex((value) => !Array.isArray(value));
    if (flat >= 0) {
      const wanted = `must be an array for shape ${showShape(shape)}`;
      throw wrong(
        `${where}: data: ${show(inner[flat])} at level ${dimension + 1} is not allowed, ${wanted}`,
      );
    }
    level = inner as (readonly unknown[])[];
  }
  return level;
}

function textBytes(leaves: readonly (readonly unknown[])[], where: string): Uint8Array[] {
  return leaves.flat().map((value, at) => {
    // Half of a surrogate pair has no UTF-8: it would silently become another character.
    if (typeof value === 'string' && value.isWellFormed()) return Buffer.from(value);
    throw refuse(where, at, value, 'a text');
  });
}

/** Elements of one piece of text: one takes a few milliseconds at most. */
const PIECE = 16_384;

/**
 * Elements as JSON, in pieces that make one flat array when they are put together: whoever writes a large tensor can do
 * other work between two of them. @throws ApiError 400, before the first piece, when JSON cannot carry the tensor
 */
export function toJson(tensor: Tensor, where: string): Iterable<string> {
  const { datatype, data } = tensor;
  if (datatype === 'FP16' || datatype === 'BF16') {
    throw wrong(`${where}: ${datatype} has no form in JSON, ask for it with binary_data`);
  }
  if (datatype === 'BYTES') {
    const at = (data as readonly Uint8Array[]).findIndex((element) => !isUtf8(element));
    if (at >= 0) throw wrong(`${where}: element ${at} is not UTF-8, ask for it with binary_data`);
  } else if (datatype === 'FP32' || datatype === 'FP64') {
    const at = (data as Float64Array).findIndex((value) => value - value !== 0);
    if (at >= 0) {
      const value = (data as Float64Array)[at];
      throw wrong(
        `${where}: element ${at} is ${value}, which JSON cannot carry, ask for it with binary_data`,
      );
    }
  }
  return piecesOf(datatype, data);
}

function* piecesOf(datatype: Datatype, data: TensorData): Generator<string> {
  if (data.length === 0) yield '[]';
  for (let at = 0; at < data.length; at += PIECE) {
    const piece = textOf(datatype, data.slice(at, at + PIECE) as TensorData);
    yield `${at === 0 ? '[' : ','}${piece}${at + PIECE >= data.length ? ']' : ''}`;
  }
}

function textOf(datatype: Datatype, data: TensorData): string {
  if (datatype === 'BYTES') {
    const texts = (data as readonly Uint8Array[]).map((element) => Buffer.from(element).toString());
    return JSON.stringify(texts).slice(1, -1);
  }
  const numbers = data as Exclude<TensorData, readonly Uint8Array[]>;
  if (datatype === 'BOOL')
    return Array.from(numbers as Uint8Array, (value) => value !== 0).join(',');
  return numbers.join(',');
}
