import type { Datatype } from '../domain/tensor.ts';

/** Numbers of the element types in ONNX (`TensorProto.DataType`). */
const ELEMENT_TYPES: Record<Datatype, number> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

export interface Identity {
  input: string;
  output: string;
  datatype: Datatype;
  /** A text is the name of a free dimension. */
  shape: readonly (number | string)[];
}

/** An ONNX model that gives each input back as it came: any data types, in any shapes. */
export function identityModel(pairs: readonly Identity[]): Buffer {
  const nodes = pairs.map(({ input, output }) =>
    field(1, Buffer.concat([text(1, input), text(2, output), text(4, 'Identity')])),
  );
  const inputs = pairs.map((pair) => field(11, valueInfo(pair.input, pair)));
  const outputs = pairs.map((pair) => field(12, valueInfo(pair.output, pair)));
  const graph = Buffer.concat([...nodes, text(2, 'identity'), ...inputs, ...outputs]);
  const opset = number(2, 17);
  return Buffer.concat([number(1, 9), field(7, graph), field(8, opset)]);
}

function valueInfo(name: string, { datatype, shape }: Identity): Buffer {
  const dimensions = shape.map((size) =>
    field(1, typeof size === 'number' ? number(1, size) : text(2, size)),
  );
  const tensor = Buffer.concat([
    number(1, ELEMENT_TYPES[datatype]),
    field(2, Buffer.concat(dimensions)),
  ]);
  return Buffer.concat([text(1, name), field(2, field(1, tensor))]);
}

/** The three kinds of fields in protobuf that are needed here. */
const field = (id: number, content: Buffer): Buffer =>
  Buffer.concat([varint((id << 3) | 2), varint(content.length), content]);
const text = (id: number, value: string): Buffer => field(id, Buffer.from(value));
const number = (id: number, value: number): Buffer =>
  Buffer.concat([varint(id << 3), varint(value)]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
