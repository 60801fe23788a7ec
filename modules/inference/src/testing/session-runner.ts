import { InferenceSession, Tensor as OnnxTensor } from 'onnxruntime-node';
import type { ModelRunner, RunRequest, RunResult } from '../domain/model-runner.ts';
import type { Datatype, Tensor, TensorData, TensorSpec } from '../domain/tensor.ts';
import { ScorerError } from '../errors.ts';

// Where there is a Float16Array the runtime's JavaScript uses it, and its native part then finds no elements in it.
delete (globalThis as { Float16Array?: unknown }).Float16Array;

/** Names of the protocol by those of ONNX Runtime. */
const DATATYPES: Record<string, Datatype> = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};
const TYPES = Object.fromEntries(Object.entries(DATATYPES).map(([type, name]) => [name, type]));

/**
 * The real runtime on this thread, without a queue: for processes of tests and benchmarks that are about what is around
 * a model. Not within jest, whose typed arrays are not those of the runtime.
 */
export class SessionRunner implements ModelRunner {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
    this.inputs = specsOf(session.inputMetadata);
    this.outputs = specsOf(session.outputMetadata);
  }

  static async open(model: Uint8Array): Promise<SessionRunner> {
    return new SessionRunner(await InferenceSession.create(model, { logSeverityLevel: 4 }));
  }

  async run({ inputs, outputs }: RunRequest): Promise<RunResult> {
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOnnx(input)]));
    const wanted = outputs ?? this.outputs.map(({ name }) => name);
    const startMs = performance.now();
    const found = await this.#session.run(feeds, [...wanted]).catch((cause: Error) => {
      throw new ScorerError('RUN_FAILED', cause.message, { cause });
    });
    const inferNs = (performance.now() - startMs) * 1e6;
    return {
      outputs: wanted.map((name) => fromOnnx(name, found[name] as OnnxTensor)),
      timing: { queueNs: 0, inputNs: 0, inferNs, outputNs: 0 },
      batch: inputs[0]?.shape[0] ?? 1,
    };
  }
}

const specsOf = (metadata: InferenceSession['inputMetadata']): TensorSpec[] =>
  metadata.map((value) => {
    if (!value.isTensor) throw new Error(`${value.name} is no tensor`);
    const shape = value.shape.map((size) => (typeof size === 'number' ? size : -1));
    return { name: value.name, datatype: DATATYPES[value.type]!, shape };
  });

function toOnnx({ datatype, shape, data }: Tensor): OnnxTensor {
  const type = TYPES[datatype] as 'float32';
  if (datatype !== 'BYTES') return new OnnxTensor(type, data as Float32Array, [...shape]);
  const texts = (data as readonly Uint8Array[]).map((element) => Buffer.from(element).toString());
  return new OnnxTensor('string', texts, [...shape]);
}

function fromOnnx(name: string, { type, dims, data }: OnnxTensor): Tensor {
  const datatype = DATATYPES[type]!;
  const base = { name, datatype, shape: dims };
  if (datatype === 'BYTES') {
    return { ...base, data: (data as string[]).map((text) => Buffer.from(text)) };
  }
  return { ...base, data: data as unknown as TensorData };
}
