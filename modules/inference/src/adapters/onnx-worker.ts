/**
 * Entry of the worker thread that runs the model, so that no run ever holds the event loop of the module. Started
 * by OnnxScorer; takes RunRequests and answers each with one reply, in order.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { RunRequest, WorkerReply, WorkerStart } from './onnx-messages.ts';

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

/** A copy of an output of `length` numbers: the runtime's own buffer cannot be transferred. */
function output(outputs: InferenceSession.OnnxValueMapType, name: string, length: number) {
  const tensor = outputs[name] as Tensor | undefined;
  if (!(tensor?.data instanceof Float32Array)) throw new Error(`output "${name}" is not float32`);
  if (tensor.data.length !== length) {
    const shape = `[${tensor.dims.join(', ')}]`;
    throw new Error(`output "${name}" has shape ${shape}, must hold ${length} numbers`);
  }
  return new Float32Array(tensor.data);
}

async function run(session: InferenceSession, request: RunRequest): Promise<void> {
  const { id, input, count } = request;
  const { rows, signals, contributions } = start;
  Atomics.store(start.current, 0, id);
  try {
    const tensor = new Tensor('float32', input, [count, rows, signals]);
    const names = contributions === undefined ? [start.score] : [start.score, contributions];
    const startMs = performance.now();
    const outputs = await session.run({ [start.input]: tensor }, names);
    const inferNs = (performance.now() - startMs) * 1e6;
    const score = output(outputs, start.score, count);
    const message: WorkerReply = { kind: 'scores', id, input: input.buffer, score, inferNs };
    const transfer = [input.buffer, score.buffer];
    if (contributions !== undefined) {
      message.contributions = output(outputs, contributions, count * signals);
      transfer.push(message.contributions.buffer as ArrayBuffer);
    }
    reply(message, transfer);
  } catch (error) {
    const { message } = error as Error;
    reply({ kind: 'failed', id, input: input.buffer, message }, [input.buffer]);
  } finally {
    Atomics.store(start.current, 0, 0);
  }
}

try {
  const session = await open();
  let tail = Promise.resolve();
  port.on('message', (request: RunRequest) => {
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
