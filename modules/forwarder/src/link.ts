import type { Clock, Log } from '@holdfast/module-host';
import type { FailureClass, UploadFailure } from './adapters/upload-failure.ts';
import { type BackoffRange, nextPause } from './domain/backoff.ts';

export type LinkState = 'unknown' | 'up' | 'down';

/** Between two questions to a store that does not answer at all, in ms: delivery has to go on 10 s after the link is back. */
const SILENT: BackoffRange = { baseMs: 500, capMs: 2_500 };

/** Pauses between tries, in ms. What a person must mend is tried less often than what mends itself. */
export const PAUSES: Readonly<Record<FailureClass, BackoffRange>> = {
  transport: { baseMs: 500, capMs: 8_000 },
  clock: { baseMs: 1_000, capMs: 5_000 },
  throttled: { baseMs: 1_000, capMs: 120_000 },
  auth: { baseMs: 5_000, capMs: 300_000 },
  target: { baseMs: 5_000, capMs: 300_000 },
  blob: { baseMs: 500, capMs: 30_000 },
};

/**
 * What is known of the way to the store. States: **unknown** until the first exchange, **up** after one that worked,
 * **down** after one that did not; then nothing is tried before the pause is over. Each change is logged once. A pause
 * that the store itself asked for is never cut short.
 */
export class Link {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: () => number;
  #pauseMs = 0;
  #pausedUntilMs = 0;
  /** Until when the store asked for peace. */
  #askedUntilMs = 0;
  #loggedClass: FailureClass | undefined;
  state: LinkState = 'unknown';
  /** Whether the last request got no answer, so that a small question should go before the next blob. */
  silent = false;
  /** Of the last failure, without secrets; undefined while all is well. */
  lastError: string | undefined;

  constructor(options: { clock: Clock; log: Log; random: () => number }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#random = options.random;
  }

  /** Whether it is too early for another try. */
  get paused(): boolean {
    return this.#clock.monotonicMs() < Math.max(this.#pausedUntilMs, this.#askedUntilMs);
  }

  /** For how long the store has asked for peace, from now, in ms. */
  get askedMs(): number {
    return Math.max(0, this.#askedUntilMs - this.#clock.monotonicMs());
  }

  /** Something has changed that makes a try worth while at once, unless the store has asked for peace. */
  retryNow(): void {
    this.#pausedUntilMs = 0;
  }

  /** Something answered, whatever it said. */
  answered(): void {
    this.silent = false;
  }

  /** A part of a blob is at the store: what fails now is a new failure. */
  progressed(): void {
    this.#pauseMs = 0;
  }

  worked(): void {
    this.silent = false;
    if (this.state !== 'up') this.#log.info('The store is reachable');
    this.state = 'up';
    this.lastError = undefined;
    this.#loggedClass = undefined;
    this.#pauseMs = 0;
  }

  /** The store answered, and refused one blob. */
  refusedBlob(failure: UploadFailure): void {
    this.silent = false;
    this.state = 'up';
    this.lastError = failure.message;
  }

  failed(failure: UploadFailure): void {
    this.silent = failure.status === undefined;
    const range = failure.failure === 'transport' && this.silent ? SILENT : PAUSES[failure.failure];
    this.#pauseMs = nextPause(this.#pauseMs, this.#random(), range);
    const nowMs = this.#clock.monotonicMs();
    this.#pausedUntilMs = nowMs + this.#pauseMs;
    const askedMs = failure.retryAfterMs ?? 0;
    this.#askedUntilMs = Math.max(this.#askedUntilMs, nowMs + askedMs);
    this.state = 'down';
    this.lastError = failure.message;
    if (this.#loggedClass === failure.failure) return;
    this.#loggedClass = failure.failure;
    const fields = { class: failure.failure, message: failure.message };
    // Nobody needs to act on a link that is down; on a wrong clock, wrong credentials or a wrong target somebody has to.
    if (MENDED_BY_HAND.has(failure.failure)) {
      this.#log.error('The store cannot be used', fields);
    } else this.#log.warn('The store cannot be reached, records wait', fields);
  }
}

const MENDED_BY_HAND: ReadonlySet<FailureClass> = new Set(['clock', 'auth', 'target']);
