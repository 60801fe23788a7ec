/** The last batches' times from acceptance of the oldest row to commit; a ring, so memory is bounded. */
export class LatencyWindow {
  readonly #samples: Float64Array;
  #count = 0;

  constructor(size = 2_048) {
    this.#samples = new Float64Array(size);
  }

  /** Clocks may be set back: never below 0. */
  add(ms: number): void {
    this.#samples[this.#count % this.#samples.length] = Math.max(0, ms);
    this.#count++;
  }

  /** 0 before the first sample. */
  quantiles(): { p50: number; p99: number } {
    const sorted = this.#samples.slice(0, Math.min(this.#count, this.#samples.length)).sort();
    const at = (q: number): number => sorted[Math.ceil(sorted.length * q) - 1] ?? 0;
    return { p50: at(0.5), p99: at(0.99) };
  }
}
