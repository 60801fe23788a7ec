import { setTimeout as pause } from 'node:timers/promises';
import { isSourceError, SourceError } from './errors.ts';
import type { FetchLimits, ReachOptions } from './port.ts';

const DAY_MS = 86_400_000;
/** No pause is longer, whatever a host asks for by Retry-After: then the caller is told. */
const RETRY_AFTER_MS_MAX = 300_000;

/** Repeats what may work the next time, with pauses that grow, until the signal or the deadline ends it. */
export class Attempts {
  /** Ends with the caller's signal and with the deadline. */
  readonly signal: AbortSignal;
  readonly #options: ReachOptions;
  readonly #limits: FetchLimits;
  readonly #random: () => number;
  #inVain = 0;
  #pauseMs = 0;
  #newBytes = 0;

  constructor(options: ReachOptions, limits: FetchLimits, random = Math.random) {
    this.#options = options;
    this.#limits = limits;
    this.#random = random;
    const deadline = AbortSignal.timeout(options.deadlineMs ?? DAY_MS);
    this.signal =
      options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  }

  /** New bytes have come: when they are more than a trickle, the next failure is a first one again. */
  progressed(bytes: number): void {
    this.#newBytes += bytes;
    if (this.#newBytes < this.#limits.stallBytes) return;
    this.#newBytes = 0;
    this.#inVain = 0;
    this.#pauseMs = 0;
  }

  /** @throws SourceError of the last try, with retry `later` or `never` */
  async run<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        this.check();
        return await work();
      } catch (thrown) {
        this.check();
        if (!isSourceError(thrown) || thrown.retry !== 'now') throw thrown;
        this.#inVain += 1;
        const { triesMax } = this.#limits;
        if (this.#inVain >= triesMax) throw givenUp(thrown, triesMax);
        await this.#pause(thrown);
      }
    }
  }

  /** @throws SourceError SOURCE_ABORTED or SOURCE_DEADLINE, when it is so */
  check(): void {
    if (this.#options.signal?.aborted) throw new SourceError('SOURCE_ABORTED', 'was called off');
    if (this.signal.aborted) throw new SourceError('SOURCE_DEADLINE', 'its time was over');
  }

  /** Decorrelated jitter, so that sites which lost the same link do not come back in step. */
  async #pause(error: SourceError): Promise<void> {
    const { pauseMsMin, pauseMsMax } = this.#limits;
    const upper = Math.max(pauseMsMin, this.#pauseMs * 3);
    this.#pauseMs = Math.min(pauseMsMax, pauseMsMin + this.#random() * (upper - pauseMsMin));
    const asked = error.retryAfterMs ?? 0;
    if (asked > RETRY_AFTER_MS_MAX) throw givenUp(error, this.#inVain);
    const pauseMs = Math.round(Math.max(this.#pauseMs, asked));
    this.#options.onRetry?.(error, pauseMs);
    await pause(pauseMs, undefined, { signal: this.signal }).catch(() => this.check());
  }
}

function givenUp(error: SourceError, tries: number): SourceError {
  const message = error.message.slice(error.code.length + 2);
  return new SourceError(error.code, `${message} (${tries} tries)`, {
    retry: 'later',
    retryAfterMs: error.retryAfterMs,
    cause: error,
  });
}
