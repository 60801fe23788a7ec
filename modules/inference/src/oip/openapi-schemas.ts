import { MODEL_STATES } from '../domain/catalog.ts';
import { DATATYPE_BYTES } from '../domain/tensor.ts';

type Schema = Record<string, unknown>;

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const count: Schema = { type: 'integer', minimum: 0 };
const list = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });

/** An object of an answer: nothing beside what is written here. */
const exactly = (properties: Record<string, Schema>, optional: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  additionalProperties: false,
});

/** An object of a request: what is not known is ignored. */
const atLeast = (properties: Record<string, Schema>, required: readonly string[] = []): Schema => ({
  type: 'object',
  properties,
  required,
});

const shape = list({ type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 }, { maxItems: 32 });
const datatype: Schema = { enum: Object.keys(DATATYPE_BYTES) };

const parameters = (known: Record<string, Schema>): Schema => ({
  type: 'object',
  properties: known,
  additionalProperties: { type: ['string', 'number', 'boolean'] },
});

/** Flat, or nested as the shape is. */
const data: Schema = {
  type: 'array',
  items: { anyOf: [{ type: ['number', 'string', 'boolean'] }, ref('TensorData')] },
};

const duration = exactly({ count, ns: count });
const durations = (...names: string[]): Record<string, Schema> =>
  Object.fromEntries(names.map((name) => [name, duration]));

/** Bodies of the API by name. */
export const SCHEMAS: Record<string, Schema> = {
  Error: {
    ...atLeast({ error: text }, ['error']),
    description: 'What is wrong, where, and what is allowed.',
  },
  ServerMetadata: exactly({ name: text, version: text, extensions: list(text) }),
  Live: exactly({ live: { const: true } }),
  Ready: exactly({ live: { const: true }, ready: { const: true } }),
  NotReady: exactly({ live: { const: true }, ready: { const: false }, error: text }),
  ModelReady: exactly({ name: text, ready: { const: true } }),
  ModelNotReady: exactly({ name: text, ready: { const: false }, error: text }),
  TensorMetadata: exactly({
    name: text,
    datatype,
    shape: list({ type: 'integer', minimum: -1, description: '-1 is a free dimension' }),
  }),
  ModelMetadata: exactly({
    name: text,
    versions: list(text, { minItems: 1 }),
    platform: { const: 'onnx_onnxv1' },
    inputs: list(ref('TensorMetadata')),
    outputs: list(ref('TensorMetadata')),
    properties: exactly({ digest: text, version: text, role: text }),
  }),
  TensorData: data,
  InferRequest: atLeast(
    {
      id: text,
      parameters: parameters({
        priority: { ...count, description: '1 is the most urgent, 0 the default.' },
        timeout: {
          ...count,
          description: 'Microseconds; a request that has not begun by then is answered with 504.',
        },
        binary_data_output: {
          ...flag,
          description: 'Outputs that do not say otherwise come as binary data.',
        },
      }),
      inputs: list(ref('RequestInput')),
      outputs: list(ref('RequestOutput')),
    },
    ['inputs'],
  ),
  RequestInput: atLeast(
    {
      name: text,
      shape,
      datatype,
      parameters: parameters({
        binary_data_size: { ...count, description: 'Bytes after the JSON, instead of data.' },
      }),
      data: ref('TensorData'),
    },
    ['name', 'shape', 'datatype'],
  ),
  RequestOutput: atLeast(
    {
      name: text,
      parameters: parameters({
        binary_data: flag,
        classification: {
          ...count,
          description: 'The so many highest values, as "value:index[:label]".',
        },
      }),
    },
    ['name'],
  ),
  InferResponse: exactly(
    { model_name: text, model_version: text, id: text, outputs: list(ref('ResponseOutput')) },
    ['id'],
  ),
  ResponseOutput: {
    oneOf: [
      exactly({ name: text, datatype, shape, data: ref('TensorData') }),
      exactly({ name: text, datatype, shape, parameters: exactly({ binary_data_size: count }) }),
    ],
  },
  Statistics: exactly({
    model_stats: list(
      exactly({
        name: text,
        version: text,
        last_inference: { ...count, description: 'ms since 1970-01-01 UTC; 0 if there was none' },
        inference_count: count,
        execution_count: count,
        inference_stats: exactly(
          durations('success', 'fail', 'queue', 'compute_input', 'compute_infer', 'compute_output'),
        ),
        batch_stats: list(
          exactly({
            batch_size: count,
            ...durations('compute_input', 'compute_infer', 'compute_output'),
          }),
        ),
      }),
    ),
  }),
  IndexRequest: atLeast({ ready: flag }),
  RepositoryIndex: list(
    exactly(
      {
        name: text,
        version: text,
        state: { enum: ['READY', 'LOADING', 'UNLOADING', 'UNAVAILABLE'] },
        reason: {
          ...text,
          description: `Empty when ready; else why not, or one of ${MODEL_STATES.join(', ')}.`,
        },
      },
      ['version'],
    ),
  ),
  ControlRequest: atLeast({ parameters: atLeast({ unload_dependents: flag }) }),
  Loaded: exactly({ name: text, load: { const: true } }),
  Unloaded: exactly({ name: text, unload: { const: true } }),
  ScoreRequest: {
    description:
      'One of the three: rows of signals by name or in the order of the model, a table {"columns", "data"}, or windows.',
    anyOf: ['input_data', 'data', 'inputs'].map((key) =>
      atLeast({ [key]: { type: ['array', 'object'] }, t: list(count) }, [key]),
    ),
  },
  ModelIdentity: exactly({ name: text, version: text, digest: text }),
  Scores: exactly({
    model: ref('ModelIdentity'),
    scores: list({ type: ['number', 'null'] }),
    levels: list({ enum: [0, 1, 2, null] }),
    contributions: list({ type: ['object', 'null'], additionalProperties: { type: 'number' } }),
    problems: list(exactly({ row: count, code: text, detail: text }, ['detail'])),
  }),
  ImageScores: {
    ...atLeast({ model: ref('ModelIdentity') }, ['model']),
    description: 'What the bundle makes of a picture: see its outputs.',
  },
};
