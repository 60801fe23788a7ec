/** Clock granularity G of RFC 6298 in ms: an event loop under load is not better than this. */
const GRANULARITY_MS = 10;

/**
 * Resend timeout from measured round trips, as in RFC 6298: smoothed mean plus four times the smoothed deviation,
 * doubled at each timeout; the doubled value stays until a sample that is beyond doubt (Karn's rule), because a
 * receipt after a resend does not say which of the two it answers.
 */
export class RoundTrip {
  readonly #min: number;
  readonly #max: number;
  #smoothed: number | undefined;
  #deviation = 0;
  #timeout: number;

  constructor(bounds: { firstMs: number; minMs: number; maxMs: number }) {
    this.#min = bounds.minMs;
    this.#max = bounds.maxMs;
    this.#timeout = this.#bounded(bounds.firstMs);
  }

  get smoothedMs(): number | undefined {
    return this.#smoothed;
  }

  get timeoutMs(): number {
    return this.#timeout;
  }

  /** A round trip of a batch that was sent once only. */
  sample(ms: number): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = ms;
      this.#deviation = ms / 2;
    } else {
      // [RFC6298-2.3] alpha = 1/8, beta = 1/4
      this.#deviation += (Math.abs(this.#smoothed - ms) - this.#deviation) / 4;
      this.#smoothed += (ms - this.#smoothed) / 8;
    }
    this.#timeout = this.#bounded(this.#smoothed + Math.max(GRANULARITY_MS, 4 * this.#deviation));
  }

  /** [RFC6298-5.5] */
  backOff(): void {
    this.#timeout = this.#bounded(this.#timeout * 2);
  }

  #bounded(ms: number): number {
    return Math.min(this.#max, Math.max(this.#min, ms));
  }
}
