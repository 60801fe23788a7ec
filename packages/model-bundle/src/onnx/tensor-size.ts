import type { Problem } from '@holdfast/contracts';
import type { Message } from './message.ts';

interface DataType {
  readonly name: string;
  /** Bits of one element; undefined for text. */
  readonly bits: number | undefined;
  /** Field that holds the elements when they are not raw bytes, and values of it per element. */
  readonly field: string;
  readonly perElement?: number;
}

const type = (name: string, bits: number, field: string, perElement = 1): DataType => ({
  name,
  bits,
  field,
  perElement,
});

/** TensorProto.DataType: number, name, size, and where its values are. Below 8 bits they are packed into bytes. */
export const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: type('float32', 32, 'float_data'),
  2: type('uint8', 8, 'int32_data'),
  3: type('int8', 8, 'int32_data'),
  4: type('uint16', 16, 'int32_data'),
  5: type('int16', 16, 'int32_data'),
  6: type('int32', 32, 'int32_data'),
  7: type('int64', 64, 'int64_data'),
  8: { name: 'string', bits: undefined, field: 'string_data' },
  9: type('bool', 8, 'int32_data'),
  10: type('float16', 16, 'int32_data'),
  11: type('float64', 64, 'double_data'),
  12: type('uint32', 32, 'uint64_data'),
  13: type('uint64', 64, 'uint64_data'),
  14: type('complex64', 64, 'float_data', 2),
  15: type('complex128', 128, 'double_data', 2),
  16: type('bfloat16', 16, 'int32_data'),
  17: type('float8e4m3fn', 8, 'int32_data'),
  18: type('float8e4m3fnuz', 8, 'int32_data'),
  19: type('float8e5m2', 8, 'int32_data'),
  20: type('float8e5m2fnuz', 8, 'int32_data'),
  21: type('uint4', 4, 'int32_data'),
  22: type('int4', 4, 'int32_data'),
  23: type('float4e2m1', 4, 'int32_data'),
  24: type('float8e8m0', 8, 'int32_data'),
  25: type('uint2', 2, 'int32_data'),
  26: type('int2', 2, 'int32_data'),
};

/** Fields of a tensor that can hold its values. */
const FIELDS = [
  'raw_data',
  'float_data',
  'int32_data',
  'string_data',
  'int64_data',
  'double_data',
  'uint64_data',
];

/** What a tensor's own numbers say about its size. */
export interface TensorSize {
  readonly elements: number;
  /** Bytes in memory; of text what the file holds. */
  readonly bytes: number;
  /** Whether its values are in another file. */
  readonly external: boolean;
}

/** Elements in a tensor of these dimensions; undefined when that is no number that can be. */
export function elementsOf(dims: readonly number[]): number | undefined {
  let elements = 1;
  let empty = false;
  for (const size of dims) {
    if (!Number.isSafeInteger(size)) return undefined;
    if (size === 0) empty = true;
    else elements *= size;
  }
  if (empty) return 0;
  return Number.isSafeInteger(elements) ? elements : undefined;
}

/** The size of a tensor with weights, or why its dimensions, its type and its values do not fit each other. */
export function sizeOf(tensor: Message): TensorSize | Problem {
  const dims = tensor.ints('dims');
  const elements = elementsOf(dims);
  const shown = `[${dims.slice(0, 8).join(', ')}${dims.length > 8 ? ', ...' : ''}]`;
  if (elements === undefined) {
    return { path: 'dims', value: shown, allowed: 'must be sizes of a tensor that can be' };
  }
  const number = tensor.int('data_type') ?? 0;
  const dataType = DATA_TYPES[number];
  if (dataType === undefined) {
    return { path: 'data_type', value: String(number), allowed: 'must be a type of this format' };
  }
  const location = tensor.int('data_location') ?? 0;
  if (location !== 0 && location !== 1) {
    return { path: 'data_location', value: String(location), allowed: 'must be 0 or 1' };
  }
  const filled = FIELDS.filter((name) => (tensor.amount(name)?.bytes ?? 0) > 0);
  const external = location === 1 || tensor.all('external_data').length > 0;
  const bytes = Math.ceil((elements * (dataType.bits ?? 0)) / 8);
  if (external) {
    if (dataType.bits === undefined || filled.length > 0) {
      const allowed = 'must be the only values, and no text, to be in another file';
      return { path: 'external_data', allowed };
    }
    return { elements, bytes, external };
  }
  const problem = problemOfValues(tensor, { dataType, elements, bytes, filled, shown });
  if (problem !== undefined) return problem;
  const text = tensor.amount('string_data')?.bytes ?? 0;
  return { elements, bytes: dataType.bits === undefined ? text : bytes, external };
}

function problemOfValues(
  tensor: Message,
  tensorIs: {
    dataType: DataType;
    elements: number;
    bytes: number;
    filled: readonly string[];
    shown: string;
  },
): Problem | undefined {
  const { dataType, elements, bytes, filled, shown } = tensorIs;
  const other = filled.find((name) => name !== 'raw_data' && name !== dataType.field);
  const wanted = `${dataType.name} ${shown}`;
  if (other !== undefined || filled.length > 1) {
    const allowed = `must hold values of ${wanted} once, in raw_data or ${dataType.field}`;
    return { path: filled.join(' and '), allowed };
  }
  const raw = tensor.amount('raw_data')?.bytes ?? 0;
  if (raw > 0) {
    if (dataType.bits !== undefined && raw === bytes) return undefined;
    const allowed = `must be ${bytes} bytes, as ${wanted} has`;
    return { path: 'raw_data', value: `${raw} bytes`, allowed };
  }
  const amount = tensor.amount(dataType.field) ?? { itemsMin: 0, itemsMax: 0 };
  // Values of fewer than 8 bits share one number for each byte.
  const items =
    dataType.bits !== undefined && dataType.bits < 8
      ? bytes
      : elements * (dataType.perElement ?? 1);
  if (items >= amount.itemsMin && items <= amount.itemsMax) return undefined;
  const { itemsMin, itemsMax } = amount;
  const value = itemsMin === itemsMax ? `${itemsMin} values` : `${itemsMin} to ${itemsMax} values`;
  return { path: dataType.field, value, allowed: `must be ${items} values, as ${wanted} has` };
}
