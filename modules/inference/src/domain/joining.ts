import type { RunRequest } from './model-runner.ts';
import { DATATYPE_BYTES, type Tensor, type TensorData, type TensorSpec } from './tensor.ts';

interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}
type Elements = Exclude<TensorData, readonly Uint8Array[]>;

/** Whether it could hold rows of several requests: its first dimension is free, and its elements have one size. */
const isFree = ({ shape, datatype }: TensorSpec): boolean =>
  shape[0] === -1 && DATATYPE_BYTES[datatype] > 0;

/** Whether requests of this model, with these outputs, can be one run at all. */
export function canJoin({ inputs, outputs }: Signature, wanted: readonly string[]): boolean {
  return (
    inputs.length > 0 &&
    inputs.every(isFree) &&
    outputs.filter(({ name }) => wanted.includes(name)).every(isFree)
  );
}

/** Requests of one model with the same key can be one run. Undefined when this one runs alone. */
export function joinKeyOf(
  signature: Signature,
  { inputs }: RunRequest,
  wanted: readonly string[],
): string | undefined {
  if (!canJoin(signature, wanted)) return undefined;
  const rows = inputs[0]?.shape[0];
  if (rows === undefined || rows < 1) return undefined;
  if (inputs.some(({ shape }) => shape[0] !== rows)) return undefined;
  const parts = inputs.map(({ name, shape }) => [name, ...shape.slice(1)]);
  return JSON.stringify([parts.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)), wanted]);
}

/** Rows of all requests below each other, in their order; inputs in the order of the first. */
export function joinInputs(requests: readonly (readonly Tensor[])[]): Tensor[] {
  return (requests[0] ?? []).map((first) => {
    const parts = requests.map((inputs) => inputs.find(({ name }) => name === first.name)!);
    const length = parts.reduce((sum, { data }) => sum + data.length, 0);
    const data = likeOf(first.data as Elements, length);
    let at = 0;
    for (const part of parts) {
      data.set(part.data as never, at);
      at += part.data.length;
    }
    const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
    return { ...first, shape: [rows, ...first.shape.slice(1)], data };
  });
}

/**
 * The outputs of a joined run, given back to its requests.
 * @returns undefined when an output does not have a row for each row of the inputs, so nobody can say whose is whose
 */
export function splitOutputs(
  outputs: readonly Tensor[],
  rows: readonly number[],
): Tensor[][] | undefined {
  const total = rows.reduce((sum, count) => sum + count, 0);
  if (outputs.some(({ shape }) => shape[0] !== total)) return undefined;
  let from = 0;
  return rows.map((count) => {
    const first = from;
    from += count;
    return outputs.map((output) => {
      const perRow = output.data.length / total;
      const data = (output.data as Elements).slice(first * perRow, (first + count) * perRow);
      return { ...output, shape: [count, ...output.shape.slice(1)], data } as Tensor;
    });
  });
}

const likeOf = (data: Elements, length: number): Elements =>
  new (data.constructor as new (length: number) => Elements)(length);
