import type { TensorDeclaration } from '@holdfast/model-bundle';
import type { Datatype, TensorData } from '../domain/tensor.ts';

/** What the worker is started with. */
export interface WorkerStart {
  modelPath: string;
  intraOpNumThreads: number;
  /** One number: id of the run that the worker is in, 0 between runs. Tells who was in it when it ended. */
  current: Int32Array<SharedArrayBuffer>;
}

export type Elements = Exclude<TensorData, readonly Uint8Array[]>;

/** A tensor between the threads: one buffer. BYTES has all elements end to end in `data`, and the size of each. */
export interface WireTensor {
  name: string;
  datatype: Datatype;
  shape: readonly number[];
  data: Elements;
  sizes?: Uint32Array<ArrayBuffer>;
}

/** Buffers of the inputs are transferred. */
export interface WorkerRequest {
  id: number;
  inputs: WireTensor[];
  outputs: readonly string[];
}

/** How long the parts of a run took, in ns; `startNs` is of the clock of `process.hrtime`. */
export interface RunTimes {
  startNs: number;
  inputNs: number;
  inferNs: number;
  outputNs: number;
}

/** Each reply to a run brings the inputs' buffers back, for the next runs. */
export type WorkerReply =
  | { kind: 'ready'; inputs: TensorDeclaration[]; outputs: TensorDeclaration[] }
  | { kind: 'not-ready'; message: string }
  | { kind: 'done'; id: number; buffers: ArrayBuffer[]; outputs: WireTensor[]; times: RunTimes }
  | { kind: 'failed'; id: number; buffers: ArrayBuffer[]; message: string };
