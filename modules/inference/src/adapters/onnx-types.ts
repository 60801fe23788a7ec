import type { TensorDeclaration } from '@holdfast/model-bundle';
import { DATATYPE_BYTES, type Datatype, type TensorSpec } from '../domain/tensor.ts';

/** Names of the data types in onnxruntime-node. It has none for bfloat16, and no room for two numbers in a byte. */
export const ONNX_TYPES = {
  BOOL: 'bool',
  UINT8: 'uint8',
  UINT16: 'uint16',
  UINT32: 'uint32',
  UINT64: 'uint64',
  INT8: 'int8',
  INT16: 'int16',
  INT32: 'int32',
  INT64: 'int64',
  FP16: 'float16',
  FP32: 'float32',
  FP64: 'float64',
  BYTES: 'string',
} as const satisfies Partial<Record<Datatype, string>>;
export type OnnxDatatype = keyof typeof ONNX_TYPES;

export const datatypeOf = (onnxType: string): OnnxDatatype | undefined =>
  (Object.keys(ONNX_TYPES) as OnnxDatatype[]).find((name) => ONNX_TYPES[name] === onnxType);

/** What the model declares, in the terms of the module; undefined for what cannot be carried. */
export function specOf({ name, type, shape }: TensorDeclaration): TensorSpec | undefined {
  const datatype = datatypeOf(type);
  if (datatype === undefined) return undefined;
  return { name, datatype, shape: shape.map((size) => (typeof size === 'number' ? size : -1)) };
}

export const elementBytes = (datatype: Datatype): number => DATATYPE_BYTES[datatype];
