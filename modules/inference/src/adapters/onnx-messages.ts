import type { TensorDeclaration } from '@holdfast/model-bundle';

/** What the worker is started with. */
export interface WorkerStart {
  modelPath: string;
  input: string;
  score: string;
  contributions: string | undefined;
  rows: number;
  signals: number;
  intraOpNumThreads: number;
  /** One number: id of the run that the worker is in, 0 between runs. Tells who was in it when it ended. */
  current: Int32Array<SharedArrayBuffer>;
}

/** `input` is `[window, row, signal]`, row-major; its buffer is transferred. */
export interface RunRequest {
  id: number;
  input: Float32Array<ArrayBuffer>;
  count: number;
}

/** Each reply to a run brings the input's buffer back, for the next run. */
export type WorkerReply =
  | { kind: 'ready'; inputs: TensorDeclaration[]; outputs: TensorDeclaration[] }
  | { kind: 'not-ready'; message: string }
  | {
      kind: 'scores';
      id: number;
      input: ArrayBuffer;
      score: Float32Array;
      contributions?: Float32Array;
      /** Of the run alone. */
      inferNs: number;
    }
  | { kind: 'failed'; id: number; input: ArrayBuffer; message: string };
