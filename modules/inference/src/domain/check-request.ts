import type { RunRequest } from './model-runner.ts';
import { DATATYPE_BYTES, type Tensor, type TensorSpec } from './tensor.ts';

interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** What is wrong with a request for a model, as a sentence; undefined when it may run. */
export function requestProblem(
  { inputs, outputs }: Signature,
  request: RunRequest,
): string | undefined {
  const given = new Set(request.inputs.map(({ name }) => name));
  for (const { name } of inputs) if (!given.has(name)) return `input "${name}" is missing`;
  if (given.size < request.inputs.length) return 'an input is given twice';
  for (const tensor of request.inputs) {
    const spec = inputs.find(({ name }) => name === tensor.name);
    if (spec === undefined) return `the model has no input "${tensor.name}"`;
    const problem = tensorProblem(spec, tensor);
    if (problem !== undefined) return `input "${tensor.name}" ${problem}`;
  }
  if (request.outputs?.length === 0) return 'no output is asked for';
  const unknown = request.outputs?.find((name) => !outputs.some((spec) => spec.name === name));
  return unknown === undefined ? undefined : `the model has no output "${unknown}"`;
}

function tensorProblem(spec: TensorSpec, { datatype, shape, data }: Tensor): string | undefined {
  if (datatype !== spec.datatype) return `is ${datatype}, must be ${spec.datatype}`;
  // No shape in the model is any shape, or a single number.
  const fits =
    spec.shape.length === 0 ||
    (shape.length === spec.shape.length &&
      spec.shape.every((size, index) => size === -1 || size === shape[index]));
  if (!fits) return `has shape [${shape.join(', ')}], must be [${spec.shape.join(', ')}]`;
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length) return `has ${data.length} elements, its shape has ${count}`;
  if (Array.isArray(data)) return datatype === 'BYTES' ? undefined : `is not ${datatype}`;
  const { BYTES_PER_ELEMENT } = data as Exclude<Tensor['data'], readonly Uint8Array[]>;
  return BYTES_PER_ELEMENT === DATATYPE_BYTES[datatype] ? undefined : `is not ${datatype}`;
}
