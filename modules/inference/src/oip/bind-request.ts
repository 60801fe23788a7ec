import { DATATYPE_BYTES, type Tensor, type TensorSpec } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';
import type { InferRequest, RequestOutput } from './infer-request.ts';
import { fromBinary, packBytes } from './tensor-binary.ts';
import { showShape } from './tensor-shape.ts';

type Specs = readonly TensorSpec[];

/**
 * The model's inputs, in its order, from a request and the bytes after its JSON.
 * @throws ApiError 400 when they do not fit the model, with what it allows
 */
export function bindInputs(
  request: Pick<InferRequest, 'inputs'>,
  binary: Uint8Array<ArrayBuffer>,
  specs: Specs,
): Tensor[] {
  const tensors = new Map<string, Tensor>();
  let at = 0;
  for (const input of request.inputs) {
    const { name, datatype, shape, binarySize } = input;
    const where = `input "${name}"`;
    const spec = specs.find((candidate) => candidate.name === name);
    if (spec === undefined) throw wrong(`${where}: is not known, the model has ${namesOf(specs)}`);
    if (spec.datatype !== datatype) {
      throw wrong(`${where}: datatype ${datatype} is not allowed, must be ${spec.datatype}`);
    }
    if (!fits(shape, spec.shape)) {
      throw wrong(
        `${where}: shape ${showShape(shape)} is not allowed, must be ${showShape(spec.shape)}`,
      );
    }
    if (binarySize !== undefined && at + binarySize > binary.byteLength) {
      const left = binary.byteLength - at;
      throw wrong(
        `${where}: binary_data_size ${binarySize} is not allowed, ${left} bytes are left in the body`,
      );
    }
    const bytes = input.data ?? binary.subarray(at, at + binarySize!);
    at += binarySize ?? 0;
    tensors.set(name, { name, datatype, shape, data: fromBinary(input, bytes, where) });
  }
  if (at !== binary.byteLength) {
    throw wrong(
      `body: has ${binary.byteLength - at} bytes more than its inputs say in binary_data_size`,
    );
  }
  return specs.map(({ name }) => {
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw wrong(`input "${name}": is missing, the model needs ${namesOf(specs)}`);
    return tensor;
  });
}

/** Outputs that are wanted, in order. @throws ApiError 400 for one that the model does not have */
export function bindOutputs(request: InferRequest, specs: Specs): RequestOutput[] {
  if (request.outputs === undefined) return specs.map(({ name }) => ({ name }));
  for (const { name } of request.outputs) {
    if (specs.some((spec) => spec.name === name)) continue;
    throw wrong(`output "${name}": is not known, the model has ${namesOf(specs)}`);
  }
  return request.outputs;
}

/**
 * A body that is nothing but one tensor: allowed for a model with one input of a size that leaves no doubt about its
 * shape. All outputs come as binary data. @throws ApiError 400
 */
export function rawRequest(
  bytes: Uint8Array<ArrayBuffer>,
  specs: Specs,
): { request: InferRequest; binary: Uint8Array<ArrayBuffer> } {
  const [spec, ...others] = specs;
  if (spec === undefined || others.length > 0) {
    throw wrong(
      `body: raw binary data is for models with one input, this one has ${namesOf(specs)}`,
    );
  }
  const { name, datatype } = spec;
  // One element, which comes without its length.
  const binary = datatype === 'BYTES' ? packBytes([bytes]) : bytes;
  const shape =
    datatype === 'BYTES'
      ? spec.shape.map(() => 1)
      : rawShape(spec, bytes.byteLength / DATATYPE_BYTES[datatype]);
  const inputs = [{ name, datatype, shape, binarySize: binary.byteLength }];
  return { request: { priority: 0, binary: true, inputs }, binary };
}

/** One free dimension follows from the size; of two, the first is the batch and 1. */
function rawShape({ name, shape }: TensorSpec, elements: number): number[] {
  const where = `input "${name}"`;
  const free = shape.flatMap((size, at) => (size < 0 ? [at] : []));
  const batched = free.length === 2 && free[0] === 0;
  if (free.length > 1 && !batched) {
    throw wrong(`${where}: raw binary data leaves the shape open, which is ${showShape(shape)}`);
  }
  const open = free.at(-1);
  const fixed = shape.reduce((product, size) => (size < 0 ? product : product * size), 1);
  const rest = elements / fixed;
  if (!Number.isInteger(rest) || (open === undefined && rest !== 1)) {
    throw wrong(
      `${where}: ${elements} elements of raw binary data do not make the shape ${showShape(shape)}`,
    );
  }
  return shape.map((size, at) => (size >= 0 ? size : at === open ? rest : 1));
}

const fits = (shape: readonly number[], allowed: readonly number[]): boolean =>
  shape.length === allowed.length && allowed.every((size, at) => size < 0 || size === shape[at]);

const namesOf = (specs: Specs): string => specs.map(({ name }) => `"${name}"`).join(', ') || 'none';
