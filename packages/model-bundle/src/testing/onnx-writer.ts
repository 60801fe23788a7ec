/** Writes ONNX files for tests byte by byte, so that there can be everything wrong with them. */

/** One field: a number is a varint, text and bytes have a length, a list is a packed one. */
export type FieldValue = number | bigint | string | Buffer | readonly number[];

export function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const more = rest > 0x7fn ? 0x80 : 0;
    bytes.push(Number(rest & 0x7fn) | more);
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

export function field(number: number, value: FieldValue): Buffer {
  if (typeof value === 'number' || typeof value === 'bigint') {
    return Buffer.concat([varint(number * 8), varint(value)]);
  }
  const bytes =
    typeof value === 'string' || Buffer.isBuffer(value)
      ? Buffer.from(value as string)
      : Buffer.concat(value.map((item) => varint(item)));
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

export const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields);

export const FLOAT = 1;
export const STRING = 8;

export interface TensorParts {
  name?: string;
  dims?: readonly (number | bigint)[];
  type?: number;
  /** Of zeros. */
  rawBytes?: number;
  external?: Readonly<Record<string, string>>;
  location?: number;
  more?: readonly Buffer[];
}

/** A float32 tensor of two elements unless told otherwise. */
export function tensor(parts: TensorParts = {}): Buffer {
  const { dims = [2], external } = parts;
  const rawBytes = parts.rawBytes ?? (external === undefined ? 8 : 0);
  return message(
    ...dims.map((size) => field(1, size)),
    field(2, parts.type ?? FLOAT),
    field(8, parts.name ?? 'weights'),
    ...(rawBytes > 0 ? [field(9, Buffer.alloc(rawBytes))] : []),
    ...Object.entries(external ?? {}).map(([key, value]) =>
      field(13, message(field(1, key), field(2, value))),
    ),
    ...(external === undefined && parts.location === undefined
      ? []
      : [field(14, parts.location ?? 1)]),
    ...(parts.more ?? []),
  );
}

/** A node with attributes, each a field of AttributeProto. */
export const node = (operator: string, domain = '', attributes: readonly Buffer[] = []): Buffer =>
  message(
    field(1, 'window'),
    field(2, 'score'),
    field(4, operator),
    ...(domain === '' ? [] : [field(7, domain)]),
    ...attributes.map((attribute) => field(5, message(field(1, 'attribute'), attribute))),
  );

/** A declaration of a float32 tensor; a text is a dimension by name. */
export const declared = (name: string, dims: readonly (number | string)[]): Buffer =>
  message(
    field(1, name),
    field(
      2,
      field(
        1,
        message(
          field(1, FLOAT),
          field(
            2,
            message(
              ...dims.map((size) =>
                field(1, typeof size === 'number' ? field(1, size) : field(2, size)),
              ),
            ),
          ),
        ),
      ),
    ),
  );

export interface GraphParts {
  nodes?: readonly Buffer[];
  initialisers?: readonly Buffer[];
  inputs?: readonly Buffer[];
  outputs?: readonly Buffer[];
  more?: readonly Buffer[];
}

export const graph = (parts: GraphParts = {}): Buffer =>
  Buffer.concat([
    ...(parts.nodes ?? [node('Relu')]).map((each) => field(1, each)),
    field(2, 'graph'),
    ...(parts.initialisers ?? []).map((each) => field(5, each)),
    ...(parts.inputs ?? [declared('window', ['batch', 1, 2])]).map((each) => field(11, each)),
    ...(parts.outputs ?? [declared('score', ['batch'])]).map((each) => field(12, each)),
    ...(parts.more ?? []),
  ]);

export const operatorSet = (domain: string, version: number): Buffer =>
  field(8, message(...(domain === '' ? [] : [field(1, domain)]), field(2, version)));

export interface ModelParts extends GraphParts {
  irVersion?: number;
  opsets?: readonly Buffer[];
  ofModel?: readonly Buffer[];
}

export const model = (parts: ModelParts = {}): Buffer =>
  message(
    field(1, parts.irVersion ?? 9),
    field(2, 'a test'),
    field(7, graph(parts)),
    ...(parts.opsets ?? [operatorSet('', 17)]),
    ...(parts.ofModel ?? []),
  );
