import { Worker } from 'node:worker_threads';
import { ApiError, later } from './api-error.ts';
import { type InferRequest, readInferRequest } from './infer-request.ts';
import { parseJson } from './json-text.ts';

/** Up to here a text is parsed at once: five milliseconds at the very most. */
const INLINE_BYTES = 256 * 1024;

/** The thread gives its memory back when nothing large has come for a while. */
const IDLE_MS = 10_000;

/** A text of the largest size can become twenty times its bytes; beyond, only the thread ends. */
const HEAP_MB = 384;

const RETRY_MS = 1_000;

/** To the thread: a text. From it: the request, or why it is refused. */
export interface ParseJob {
  id: number;
  text: Uint8Array<ArrayBuffer>;
}
export type ParseReply =
  | { id: number; request: InferRequest }
  | { id: number; refused: { status: number; message: string } };

interface Pending {
  resolve(request: InferRequest): void;
  reject(error: Error): void;
}

/**
 * Turns texts of requests into tensors without holding the event loop: short ones here, long ones in a thread that is
 * there only while it is needed. A text that needs more memory than that thread has is refused, and costs nobody else.
 */
export class RequestReader {
  readonly #workerUrl: URL;
  readonly #heapMb: number;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;

  /** `heapMb` bounds what parsing may take. @default 384 */
  constructor(workerUrl: URL, heapMb = HEAP_MB) {
    this.#workerUrl = workerUrl;
    this.#heapMb = heapMb;
  }

  /** The text is gone afterwards when it is long. @throws ApiError */
  read(text: Buffer<ArrayBuffer>): InferRequest | Promise<InferRequest> {
    if (text.byteLength <= INLINE_BYTES) return readInferRequest(parseJson(text));
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      const job: ParseJob = { id, text };
      worker.postMessage(job, [text.buffer]);
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(this.#workerUrl, {
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb, maxYoungGenerationSizeMb: 32 },
    });
    worker.unref();
    let reason = 'the module is stopping';
    worker.on('message', (reply: ParseReply) => this.#settle(reply));
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
      this.#failAll(reason);
    });
    return worker;
  }

  #settle(reply: ParseReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#endWhenIdle();
    if ('request' in reply) pending?.resolve(reply.request);
    else pending?.reject(new ApiError(reply.refused.status, reply.refused.message));
  }

  #endWhenIdle(): void {
    this.#idle = setTimeout(() => void this.close(), IDLE_MS);
    this.#idle.unref();
  }

  /** The first text is what ended the thread; the others only waited. */
  #failAll(reason: string): void {
    const [first, ...others] = this.#pending.values();
    this.#pending.clear();
    first?.reject(
      new ApiError(413, `body: needs too much memory as JSON (${reason}), send it as binary data`),
    );
    for (const { reject } of others)
      reject(later(503, 'the request was interrupted, send it again', RETRY_MS));
  }
}
