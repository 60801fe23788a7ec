import type { HubParts } from './hub.ts';

/** @see HubConfig.sweepIntervalMs */
const SWEEP_INTERVAL_MS = 10_000;

/** Free pages (of 4 kB) that are kept for the next messages: 32 MB. */
const FREE_PAGES_KEPT = 8_192;
/** Pages given back in one step, about 20 ms, and the pause between two: messages go first. */
const SHRINK_STEP = 1_024;
const SHRINK_PAUSE_MS = 250;

/** What the hub does from time to time: expired messages, expired tokens, free disk space. */
export class Upkeep {
  readonly #parts: HubParts;
  #timer: NodeJS.Timeout | undefined;
  #shrinkTimer: NodeJS.Timeout | undefined;
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
    clearTimeout(this.#shrinkTimer);
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
    const { store } = this.#parts;
    clearTimeout(this.#shrinkTimer);
    if (store.freePages() <= FREE_PAGES_KEPT) return;
    store.shrink(SHRINK_STEP);
    this.#shrinkTimer = setTimeout(() => this.#shrink(), SHRINK_PAUSE_MS);
  }
}
