/**
 * Entry of the worker thread that runs a model, so that no run ever holds the event loop of the module. Started by
 * OnnxSession; takes WorkerRequests and answers each with one reply, in order.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type {
  Elements,
  RunTimes,
  WireTensor,
  WorkerReply,
  WorkerRequest,
  WorkerStart,
} from './onnx-messages.ts';
import { datatypeOf, ONNX_TYPES, type OnnxDatatype } from './onnx-types.ts';
import { buffersOf, pack, unpack } from './wire-tensor.ts';

// onnxruntime-node 1.30 wraps float16 into a Float16Array where there is one, and then its native part does not know
// it. Without one, in this thread alone, it takes Uint16Array, which works.
delete (globalThis as { Float16Array?: unknown }).Float16Array;

const start = workerData as WorkerStart;
const port = parentPort!;

const reply = (message: WorkerReply, transfer: ArrayBuffer[] = []): void => {
  port.postMessage(message, transfer);
};

/** Options chosen by measurement: spinning threads burn a core, arena and pattern keep the largest batch for ever. */
const open = (): Promise<InferenceSession> =>
  InferenceSession.create(start.modelPath, {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: start.intraOpNumThreads,
    interOpNumThreads: 1,
    enableCpuMemArena: false,
    enableMemPattern: false,
    // 4 is fatal: errors come back as exceptions, and would also go to stderr beside the log lines.
    logSeverityLevel: 4,
    extra: {
      session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } },
    },
  });

const declarations = (metadata: InferenceSession['inputMetadata']) =>
  metadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type as string, shape: [...value.shape] }
      : { name: value.name, type: 'no tensor', shape: [] },
  );

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Strings pass through the runtime as C strings of UTF-8: anything else would come out as something else. */
function stringsOf(input: WireTensor): string[] {
  return (unpack(input).data as readonly Uint8Array[]).map((element, index) => {
    const where = `input "${input.name}", element ${index}:`;
    if (element.includes(0)) throw new Error(`${where} a string must not hold a zero byte`);
    try {
      return utf8.decode(element);
    } catch {
      throw new Error(`${where} a string must be valid UTF-8`);
    }
  });
}

function toOnnx(input: WireTensor): Tensor {
  const type = ONNX_TYPES[input.datatype as OnnxDatatype];
  const data = input.sizes === undefined ? input.data : stringsOf(input);
  // Its overloads want one literal type each.
  return new Tensor(type as 'float32', data as Float32Array, input.shape);
}

/** A copy: the runtime's own buffer cannot be transferred. */
function fromOnnx(name: string, tensor: Tensor | undefined): WireTensor {
  const datatype = tensor === undefined ? undefined : datatypeOf(tensor.type);
  if (tensor === undefined || datatype === undefined) {
    throw new Error(`output "${name}" is not a tensor that can be given back`);
  }
  const data =
    datatype === 'BYTES'
      ? (tensor.data as string[]).map((text) => encoder.encode(text))
      : (tensor.data as Elements).slice();
  return pack({ name, datatype, shape: [...tensor.dims], data });
}

const now = (): number => Number(process.hrtime.bigint());

async function run(session: InferenceSession, request: WorkerRequest): Promise<void> {
  const { id, inputs, outputs: names } = request;
  const buffers = buffersOf(inputs);
  const startNs = now();
  Atomics.store(start.current, 0, id);
  try {
    const feeds = Object.fromEntries(inputs.map((input) => [input.name, toOnnx(input)]));
    const fedNs = now();
    const results = await session.run(feeds, names);
    const ranNs = now();
    const outputs = names.map((name) => fromOnnx(name, results[name] as Tensor | undefined));
    const times: RunTimes = {
      startNs,
      inputNs: fedNs - startNs,
      inferNs: ranNs - fedNs,
      outputNs: now() - ranNs,
    };
    reply({ kind: 'done', id, buffers, outputs, times }, [...buffers, ...buffersOf(outputs)]);
  } catch (error) {
    reply({ kind: 'failed', id, buffers, message: (error as Error).message }, buffers);
  } finally {
    Atomics.store(start.current, 0, 0);
  }
}

try {
  const session = await open();
  let tail = Promise.resolve();
  port.on('message', (request: WorkerRequest) => {
    tail = tail.then(() => run(session, request));
  });
  reply({
    kind: 'ready',
    inputs: declarations(session.inputMetadata),
    outputs: declarations(session.outputMetadata),
  });
} catch (error) {
  reply({ kind: 'not-ready', message: (error as Error).message });
}
