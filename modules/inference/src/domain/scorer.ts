/** Scores of some windows, in their order. */
export interface WindowScores {
  /** `[window]`. */
  score: Float32Array;
  /** `[window, signal]`, row-major; absent for a model without contributions. */
  contributions?: Float32Array;
  /** How long the model itself took in ns, without waiting. */
  inferNs?: number;
}

/**
 * Runs the model. `input` holds `count` windows, `[window, row, signal]`, row-major, and belongs to the scorer from
 * the call on. Rejects with an error whose `code` is a ScorerErrorCode; no other run is blamed for it.
 */
export interface Scorer {
  /** Room for `length` numbers of input, not zeroed; give it to `run`. */
  room(length: number): Float32Array<ArrayBuffer>;
  run(input: Float32Array<ArrayBuffer>, count: number): Promise<WindowScores>;
}
