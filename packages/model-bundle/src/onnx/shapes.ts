/**
 * The messages of onnx.proto (IR 3 to 14) as far as they are looked at. What is not listed here is skipped unread:
 * documentation, metadata, shapes of inner values, training information.
 */
export type Field =
  /** A number; of several, the last counts, as protobuf wants it. */
  | { readonly kind: 'int'; readonly name: string }
  /** Numbers, packed or one by one; kept, at most `max`. */
  | { readonly kind: 'ints'; readonly name: string; readonly max: number }
  | { readonly kind: 'text'; readonly name: string }
  /** Weights: skipped, only their amount is kept. `unit`: bytes of one, or `varint`, or `bytes` for a single blob. */
  | { readonly kind: 'data'; readonly name: string; readonly unit: 4 | 8 | 'varint' | 'bytes' }
  /** Handed over when it is complete, and not kept. */
  | { readonly kind: 'each'; readonly name: string; readonly shape: () => Shape }
  /** Kept, at most `max`. With 1, a second one is refused: protobuf would merge the two. */
  | {
      readonly kind: 'kept';
      readonly name: string;
      readonly shape: () => Shape;
      readonly max: number;
    };

export interface Shape {
  readonly name: string;
  readonly fields: Readonly<Record<number, Field>>;
}

const int = (name: string): Field => ({ kind: 'int', name });
const text = (name: string): Field => ({ kind: 'text', name });
const data = (name: string, unit: 4 | 8 | 'varint' | 'bytes'): Field => ({
  kind: 'data',
  name,
  unit,
});
const each = (name: string, shape: () => Shape): Field => ({ kind: 'each', name, shape });
const once = (name: string, shape: () => Shape): Field => ({ kind: 'kept', name, shape, max: 1 });
const many = (name: string, shape: () => Shape, max: number): Field => ({
  kind: 'kept',
  name,
  shape,
  max,
});

/** More dimensions than this has no tensor that a runtime knows. */
const DIMENSIONS_MAX = 64;

export const MODEL: Shape = {
  name: 'ModelProto',
  fields: {
    1: int('ir_version'),
    2: text('producer_name'),
    3: text('producer_version'),
    7: once('graph', () => GRAPH),
    8: many('opset_import', () => OPERATOR_SET, 256),
    25: each('functions', () => FUNCTION),
  },
};

const OPERATOR_SET: Shape = {
  name: 'OperatorSetIdProto',
  fields: { 1: text('domain'), 2: int('version') },
};

/** The first function is refused by name, so nothing of its body is looked at. */
const FUNCTION: Shape = { name: 'FunctionProto', fields: { 1: text('name'), 10: text('domain') } };

const GRAPH: Shape = {
  name: 'GraphProto',
  fields: {
    1: each('node', () => NODE),
    5: each('initializer', () => TENSOR),
    11: each('input', () => VALUE),
    12: each('output', () => VALUE),
    15: each('sparse_initializer', () => SPARSE_TENSOR),
  },
};

const NODE: Shape = {
  name: 'NodeProto',
  fields: { 4: text('op_type'), 5: each('attribute', () => ATTRIBUTE), 7: text('domain') },
};

const ATTRIBUTE: Shape = {
  name: 'AttributeProto',
  fields: {
    5: once('t', () => TENSOR),
    6: once('g', () => GRAPH),
    10: each('tensors', () => TENSOR),
    11: each('graphs', () => GRAPH),
    22: once('sparse_tensor', () => SPARSE_TENSOR),
    23: each('sparse_tensors', () => SPARSE_TENSOR),
  },
};

const TENSOR: Shape = {
  name: 'TensorProto',
  fields: {
    1: { kind: 'ints', name: 'dims', max: DIMENSIONS_MAX },
    2: int('data_type'),
    4: data('float_data', 4),
    5: data('int32_data', 'varint'),
    6: data('string_data', 'bytes'),
    7: data('int64_data', 'varint'),
    8: text('name'),
    9: data('raw_data', 'bytes'),
    10: data('double_data', 8),
    11: data('uint64_data', 'varint'),
    13: many('external_data', () => ENTRY, 16),
    14: int('data_location'),
  },
};

const ENTRY: Shape = {
  name: 'StringStringEntryProto',
  fields: { 1: text('key'), 2: text('value') },
};

const SPARSE_TENSOR: Shape = {
  name: 'SparseTensorProto',
  fields: {
    1: once('values', () => TENSOR),
    2: once('indices', () => TENSOR),
    3: { kind: 'ints', name: 'dims', max: DIMENSIONS_MAX },
  },
};

const VALUE: Shape = {
  name: 'ValueInfoProto',
  fields: { 1: text('name'), 2: once('type', () => TYPE) },
};

/** Sequences, maps and optional values are no tensors: no bundle can name one, so what is inside does not matter. */
const TYPE: Shape = {
  name: 'TypeProto',
  fields: { 1: once('tensor_type', () => TENSOR_TYPE) },
};

const TENSOR_TYPE: Shape = {
  name: 'TypeProto.Tensor',
  fields: { 1: int('elem_type'), 2: once('shape', () => TENSOR_SHAPE) },
};

const TENSOR_SHAPE: Shape = {
  name: 'TensorShapeProto',
  fields: { 1: many('dim', () => DIMENSION, DIMENSIONS_MAX) },
};

const DIMENSION: Shape = {
  name: 'TensorShapeProto.Dimension',
  fields: { 1: int('dim_value'), 2: text('dim_param') },
};
