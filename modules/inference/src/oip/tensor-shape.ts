import { DATATYPE_BYTES, type Datatype } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';
import { show } from './show.ts';

/** Largest size of one dimension: ONNX Runtime counts further, but no body holds more. */
const DIMENSION_MAX = 2 ** 31 - 1;
const RANK_MAX = 32;

/** Elements of one BYTES tensor: each becomes an object of its own, 100 bytes and more. */
export const BYTES_ELEMENTS_MAX = 262_144;

export const isDatatype = (value: unknown): value is Datatype =>
  typeof value === 'string' && Object.hasOwn(DATATYPE_BYTES, value);

/** `[2, 3]`, as messages show it. */
export const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** A shape as it came in. @throws ApiError 400; `where` names the tensor */
export function readShape(value: unknown, where: string): number[] {
  if (!Array.isArray(value))
    throw wrong(`${where}: shape ${show(value)} is not allowed, must be an array`);
  if (value.length > RANK_MAX)
    throw wrong(`${where}: shape has ${value.length} dimensions, must be at most ${RANK_MAX}`);
  for (const [at, size] of value.entries()) {
    const whole = typeof size === 'number' && Number.isInteger(size);
    if (whole && size >= 0 && size <= DIMENSION_MAX) continue;
    const allowed = `must be a whole number from 0 to ${DIMENSION_MAX}`;
    throw wrong(`${where}: shape[${at}]: ${show(size)} is not allowed, ${allowed}`);
  }
  return value;
}

/** Product of the dimensions. @throws ApiError 400 when it is beyond anything that a body could hold */
export function elementsOf(shape: readonly number[], datatype: Datatype, where: string): number {
  // A product that is no longer exact is already too large, so rounding cannot make it small again.
  const elements = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  const most = datatype === 'BYTES' ? BYTES_ELEMENTS_MAX : DIMENSION_MAX;
  if (elements <= most) return elements;
  const count = Number.isSafeInteger(elements) ? elements : 'too many';
  throw wrong(`${where}: shape ${showShape(shape)} has ${count} elements, must be at most ${most}`);
}
