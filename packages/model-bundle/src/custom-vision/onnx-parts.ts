import { bytesField, fieldsOf, numberField } from './onnx-fields.ts';

// Numbers of the fields in onnx.proto.
const MODEL_GRAPH = 7;
const MODEL_METADATA = 14;
const GRAPH_NODE = 1;
const GRAPH_OUTPUT = 12;
const NODE_INPUT = 1;
const NODE_OPERATOR = 4;
const FLOAT = 1;

const textOf = (message: Buffer, number: number): string =>
  String([...fieldsOf(message)].find((field) => field.number === number)?.value ?? '');

/** What the exporter noted in the model by key. */
export function metadataOf(model: Buffer): Map<string, string> {
  const entries = [...fieldsOf(model)].filter(({ number }) => number === MODEL_METADATA);
  return new Map(entries.map(({ value }) => [textOf(value, 1), textOf(value, 2)]));
}

/** Name of the tensor that a ZipMap at the end of the graph makes a map of; undefined without one. */
export function mappedTensor(model: Buffer): string | undefined {
  for (const { number, value: graph } of fieldsOf(model)) {
    if (number !== MODEL_GRAPH) continue;
    for (const { number: kind, value: node } of fieldsOf(graph)) {
      if (kind === GRAPH_NODE && textOf(node, NODE_OPERATOR) === 'ZipMap') {
        return textOf(node, NODE_INPUT);
      }
    }
  }
  return undefined;
}

/**
 * The same model with one output, a float32 tensor of its graph, `[batch, width]`, in place of those that it has. The
 * runtime leaves out what no output needs any more.
 */
export function withOutput(model: Buffer, name: string, width: number): Buffer {
  const dimension = (field: Buffer): Buffer => bytesField(1, field);
  const shape = Buffer.concat([
    dimension(bytesField(2, 'batch')),
    dimension(numberField(1, width)),
  ]);
  const tensor = Buffer.concat([numberField(1, FLOAT), bytesField(2, shape)]);
  const output = Buffer.concat([bytesField(1, name), bytesField(2, bytesField(1, tensor))]);
  return Buffer.concat(
    [...fieldsOf(model)].map(({ number, whole, value }) => {
      if (number !== MODEL_GRAPH) return whole;
      const kept = [...fieldsOf(value)].filter((field) => field.number !== GRAPH_OUTPUT);
      const parts = [...kept.map((field) => field.whole), bytesField(GRAPH_OUTPUT, output)];
      return bytesField(MODEL_GRAPH, Buffer.concat(parts));
    }),
  );
}
