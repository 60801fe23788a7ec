import type { Tensor, TensorSpec } from './tensor.ts';

/** Who asks for a run; each has its share of the workers, and `shadow` only what the others leave. */
export type WorkClass = 'route' | 'http' | 'shadow';

export interface RunRequest {
  /** Every input of the model once. Buffers belong to the runner from the call on. */
  readonly inputs: readonly Tensor[];
  /** Names of the outputs that are wanted; absent: all. */
  readonly outputs?: readonly string[];
  readonly work: WorkClass;
  /** 1 is the most urgent, 0 the default, as in the protocol. Only orders requests of one class. */
  readonly priority?: number;
  /** Monotonic, in ms: a request that has not begun by then fails with DEADLINE. */
  readonly deadlineMs?: number;
}

export interface RunResult {
  /** In the order in which they were asked for. */
  readonly outputs: readonly Tensor[];
  /** How long this request waited, and how long its parts took, in ns; for the statistics of the protocol. */
  readonly timing: {
    readonly queueNs: number;
    readonly inputNs: number;
    readonly inferNs: number;
    readonly outputNs: number;
  };
  /** Rows (first dimension) in the run that this request was part of, at least its own. */
  readonly batch: number;
}

/**
 * One loaded model. `run` never holds the event loop, joins what waits into one run where the model has a free first
 * dimension, and rejects with a ScorerError: RUN_FAILED (this input), RUN_CRASHED, RUN_INTERRUPTED,
 * SCORER_UNAVAILABLE, QUEUE_FULL (with `retryAfterMs`), DEADLINE.
 */
export interface ModelRunner {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  run(request: RunRequest): Promise<RunResult>;
}
