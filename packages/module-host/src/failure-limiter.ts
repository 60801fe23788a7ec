/** Failures that one address may have in one window before it is told to stop trying. */
export const FAILURES_MAX = 10;
export const WINDOW_MS = 60_000;
/** Addresses remembered; the longest known go first. */
const ADDRESSES_MAX = 10_000;

/** Counts failed authentications by address, in windows of a minute. Pure: time comes in. */
export class FailureLimiter {
  readonly #windows = new Map<string, { untilMs: number; failures: number }>();

  /** Notes a failure. Seconds to wait when the address has had too many, else undefined. */
  failed(address: string, nowMs: number): number | undefined {
    let window = this.#windows.get(address);
    if (window === undefined || nowMs >= window.untilMs) {
      this.#windows.delete(address);
      if (this.#windows.size >= ADDRESSES_MAX) this.#dropOldest();
      window = { untilMs: nowMs + WINDOW_MS, failures: 0 };
      this.#windows.set(address, window);
    }
    window.failures += 1;
    if (window.failures <= FAILURES_MAX) return undefined;
    return Math.max(1, Math.ceil((window.untilMs - nowMs) / 1000));
  }

  #dropOldest(): void {
    for (const address of this.#windows.keys()) {
      this.#windows.delete(address);
      return;
    }
  }
}
