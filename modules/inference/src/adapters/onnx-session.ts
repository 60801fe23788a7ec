import { Worker } from 'node:worker_threads';
import type { TensorDeclaration } from '@holdfast/model-bundle';
import { ScorerError } from '../errors.ts';
import type {
  RunTimes,
  WireTensor,
  WorkerReply,
  WorkerRequest,
  WorkerStart,
} from './onnx-messages.ts';
import { buffersOf } from './wire-tensor.ts';

export interface OnnxSessionOptions extends Omit<WorkerStart, 'current'> {
  /** The worker's file: `onnx-worker.ts`, or what it was bundled to. */
  workerUrl: URL;
  /** The worker ended by itself and is started anew. */
  onRestart(reason: string): void;
  /** The worker could not be kept alive; every run fails from here on. */
  onLost?(reason: string): void;
  /** Buffers of inputs come back after their run. */
  onBuffers?(buffers: readonly ArrayBuffer[]): void;
}

export interface SessionResult {
  outputs: WireTensor[];
  times: RunTimes;
}

interface Pending {
  resolve(result: SessionResult): void;
  reject(error: ScorerError): void;
}

/** The worker holds a session and a few arrays; its garbage must not wait for a heap of the usual size. In MB. */
const WORKER_HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 128 };

/** Ends of the worker, one after the other and outside of any run, after which it is not started again. */
const IDLE_ENDS_MAX = 3;

/**
 * One session of a model, in a worker thread of its own. States: *starting* (runs wait in the worker's inbox),
 * *ready*, *ending* (it ended by itself: the run that was in it fails with RUN_CRASHED, all others with
 * RUN_INTERRUPTED; then starting again), *lost* (could not be started again, every run fails with
 * SCORER_UNAVAILABLE), *closed*. An abort in native code ends the whole process and cannot be caught here; the
 * supervisor starts it anew.
 */
export class OnnxSession {
  readonly #options: OnnxSessionOptions;
  readonly #pending = new Map<number, Pending>();
  readonly #current = new Int32Array(new SharedArrayBuffer(4));
  #worker: Worker | undefined;
  #restarting: Promise<void> | undefined;
  #unavailable: ScorerError | undefined;
  #nextId = 1;
  #idleEnds = 0;
  inputs: readonly TensorDeclaration[] = [];
  outputs: readonly TensorDeclaration[] = [];

  private constructor(options: OnnxSessionOptions) {
    this.#options = options;
  }

  /** Starts the worker and loads the model. @throws ScorerError SCORER_UNAVAILABLE with what the runtime says */
  static async start(options: OnnxSessionOptions): Promise<OnnxSession> {
    const session = new OnnxSession(options);
    await session.#start();
    return session;
  }

  /** Why no run can succeed any more; undefined while one can. */
  get unavailable(): string | undefined {
    return this.#unavailable?.message;
  }

  /** Runs one after the other, in the order of the calls. The inputs' buffers are gone from here on. */
  async run(inputs: WireTensor[], outputs: readonly string[]): Promise<SessionResult> {
    if (this.#restarting !== undefined) await this.#restarting;
    const worker = this.#worker;
    if (worker === undefined) {
      throw this.#unavailable ?? new ScorerError('SCORER_UNAVAILABLE', 'the model is closed');
    }
    const id = this.#nextId;
    // Ids go through an Int32Array; 0 means none.
    this.#nextId = id >= 0x7fffffff ? 1 : id + 1;
    return new Promise((resolve, reject) => {
      const request: WorkerRequest = { id, inputs, outputs };
      worker.postMessage(request, buffersOf(inputs));
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** Ends the worker; runs under way fail with SCORER_UNAVAILABLE. Idempotent. */
  async close(): Promise<void> {
    this.#unavailable ??= new ScorerError('SCORER_UNAVAILABLE', 'the model is closed');
    const worker = this.#worker;
    this.#worker = undefined;
    this.#failAll(() => this.#unavailable!);
    await worker?.terminate();
  }

  #start(): Promise<void> {
    const { workerUrl, modelPath, intraOpNumThreads } = this.#options;
    const workerData: WorkerStart = { modelPath, intraOpNumThreads, current: this.#current };
    const worker = new Worker(workerUrl, { workerData, resourceLimits: WORKER_HEAP });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      let reason = 'it ended';
      const fail = (message: string): void => {
        if (this.#worker === worker) this.#worker = undefined;
        void worker.terminate();
        reject(new ScorerError('SCORER_UNAVAILABLE', message));
      };
      let ready = false;
      worker.on('error', (error: Error) => {
        reason = error.message;
      });
      worker.on('exit', (code) => {
        if (!ready)
          fail(`the model's worker ended while it was starting: ${reason}, exit code ${code}`);
        else if (this.#worker === worker) this.#onEnd(`${reason}, exit code ${code}`);
      });
      worker.on('message', (message: WorkerReply) => {
        if (message.kind === 'not-ready') fail(message.message);
        else if (message.kind === 'ready') {
          ready = true;
          this.inputs = message.inputs;
          this.outputs = message.outputs;
          resolve();
        } else this.#settle(message);
      });
    });
  }

  #settle(reply: Extract<WorkerReply, { id: number }>): void {
    this.#options.onBuffers?.(reply.buffers);
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    this.#idleEnds = 0;
    if (reply.kind === 'failed') pending?.reject(new ScorerError('RUN_FAILED', reply.message));
    else pending?.resolve({ outputs: reply.outputs, times: reply.times });
  }

  #onEnd(reason: string): void {
    const blamed = Atomics.exchange(this.#current, 0, 0);
    this.#worker = undefined;
    if (!this.#pending.has(blamed)) this.#idleEnds += 1;
    if (this.#idleEnds > IDLE_ENDS_MAX) {
      this.#lose(new ScorerError('SCORER_UNAVAILABLE', `its worker keeps ending: ${reason}`));
    } else {
      this.#options.onRestart(reason);
      this.#restarting = this.#restart();
    }
    this.#failAll((id) =>
      id === blamed
        ? new ScorerError('RUN_CRASHED', `the run ended the model's worker: ${reason}`)
        : new ScorerError('RUN_INTERRUPTED', reason),
    );
  }

  async #restart(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      if (this.#unavailable === undefined) this.#lose(error as ScorerError);
    } finally {
      this.#restarting = undefined;
    }
    // Closed while it was starting.
    if (this.#unavailable !== undefined) await this.#worker?.terminate();
  }

  #lose(error: ScorerError): void {
    this.#unavailable = error;
    this.#options.onLost?.(error.message);
  }

  #failAll(errorFor: (id: number) => ScorerError): void {
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const [id, { reject }] of pending) reject(errorFor(id));
  }
}
