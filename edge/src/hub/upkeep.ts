import type { HubParts } from './hub.ts';

/** @see HubConfig.sweepIntervalMs */
const SWEEP_INTERVAL_MS = 10_000;

/** Free pages (of 4 kB) that are kept for the next messages: 32 MB. */
const FREE_PAGES_KEPT = 8_192;
/** Pages given back in one step, about 10 ms. */
const SHRINK_STEP = 1_024;

/** What the hub does from time to time: expired messages, expired tokens, free disk space. */
export class Upkeep {
  readonly #parts: HubParts;
  #timer: NodeJS.Timeout | undefined;
  #running = false;

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  start(): void {
    const interval = this.#parts.config.sweepIntervalMs ?? SWEEP_INTERVAL_MS;
    this.#timer = setInterval(() => void this.#run(), interval);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.#parts.queues.sweep();
      this.#endExpiredSessions();
      this.#shrink();
    } catch (error) {
      this.#parts.log('error', 'Upkeep failed', { detail: (error as Error).message });
    } finally {
      this.#running = false;
    }
  }

  /** A connection lives no longer than its token; the SDK renews 15 minutes before. */
  #endExpiredSessions(): void {
    const nowSecs = this.#parts.nowMs() / 1_000;
    for (const session of this.#parts.sessions.all()) {
      if (session.expirySecs > nowSecs) continue;
      this.#parts.log('warn', 'Token has expired, connection is ended', { client: session.id });
      session.client.close();
    }
  }

  /** In steps, because each one moves pages from the end of the file. */
  #shrink(): void {
    if (this.#timer === undefined) return;
    if (this.#parts.store.freePages() <= FREE_PAGES_KEPT) return;
    this.#parts.store.shrink(SHRINK_STEP);
    setImmediate(() => this.#shrink());
  }
}
