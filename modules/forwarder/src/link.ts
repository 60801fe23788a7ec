import type { Clock, Log } from '@holdfast/module-host';
import type { FailureClass, UploadFailure } from './adapters/upload-failure.ts';
import { type BackoffRange, nextPause } from './domain/backoff.ts';

export type LinkState = 'unknown' | 'up' | 'down';

/** Pauses between tries, in ms. What a person must mend is tried less often than what mends itself. */
export const PAUSES: Readonly<Record<FailureClass, BackoffRange>> = {
  transport: { baseMs: 500, capMs: 30_000 },
  throttled: { baseMs: 1_000, capMs: 120_000 },
  auth: { baseMs: 5_000, capMs: 300_000 },
  target: { baseMs: 5_000, capMs: 300_000 },
  blob: { baseMs: 500, capMs: 30_000 },
};

/**
 * What is known of the way to the store. States: **unknown** until the first exchange, **up** after one that worked,
 * **down** after one that did not; then nothing is tried before the pause is over. Each change is logged once.
 */
export class Link {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  #pauseMs = 0;
  #pausedUntilMs = 0;
  #loggedClass: FailureClass | undefined;
  state: LinkState = 'unknown';
  /** Of the last failure, without secrets; undefined while all is well. */
  lastError: string | undefined;

  constructor(options: { clock: Clock; log: Log; random: () => number }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#random = options.random;
  }

  /** Whether it is too early for another try. */
  get paused(): boolean {
    return this.#clock.monotonicMs() < this.#pausedUntilMs;
  }

  /** Something has changed that makes a try worth while at once. */
  retryNow(): void {
    this.#pausedUntilMs = 0;
  }

  worked(): void {
    if (this.state !== 'up') this.#log.info('The store is reachable');
    this.state = 'up';
    this.lastError = undefined;
    this.#loggedClass = undefined;
    this.#pauseMs = 0;
  }

  /** The store answered, and refused one blob. */
  refusedBlob(failure: UploadFailure): void {
    this.state = 'up';
    this.lastError = failure.message;
  }

  failed(failure: UploadFailure): void {
    this.#pauseMs = nextPause(this.#pauseMs, this.#random(), PAUSES[failure.failure]);
    const pauseMs = Math.max(this.#pauseMs, failure.retryAfterMs ?? 0);
    this.#pausedUntilMs = this.#clock.monotonicMs() + pauseMs;
    this.state = 'down';
    this.lastError = failure.message;
    if (this.#loggedClass === failure.failure) return;
    this.#loggedClass = failure.failure;
    const fields = { class: failure.failure, message: failure.message };
    // Nobody needs to act on a link that is down; on wrong credentials or a wrong target somebody has to.
    if (failure.failure === 'auth' || failure.failure === 'target') {
      this.#log.error('The store cannot be used', fields);
    } else this.#log.warn('The store cannot be reached, records wait', fields);
  }
}
