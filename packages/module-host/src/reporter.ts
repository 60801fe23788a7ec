import { errorFields } from './log.ts';
import type { Log } from './port.ts';

const RETRY_MS = 10_000;

/**
 * Keeps the reported properties at the hub equal to what the module last said about itself: sends the newest
 * document, again after each connection, and again after a failure. One send is under way at a time.
 */
export class Reporter {
  readonly #send: (patch: Record<string, unknown>) => Promise<void>;
  readonly #log: Log;
  readonly #retryMs: number;
  #document: Record<string, unknown> | undefined;
  #dirty = false;
  #sending = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param options.retryMs pause after a failure that may pass. @default 10 s */
  constructor(options: {
    send: (patch: Record<string, unknown>) => Promise<void>;
    log: Log;
    retryMs?: number;
  }) {
    this.#send = options.send;
    this.#log = options.log;
    this.#retryMs = options.retryMs ?? RETRY_MS;
  }

  /** Replaces what is to be reported. */
  set(document: Record<string, unknown>): void {
    this.#document = document;
    this.again();
  }

  /** Sends once more, as after a new connection. */
  again(): void {
    this.#dirty = this.#document !== undefined;
    void this.#run();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#dirty = false;
    this.#document = undefined;
  }

  async #run(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    clearTimeout(this.#timer);
    while (this.#dirty && this.#document !== undefined) {
      this.#dirty = false;
      try {
        await this.#send(this.#document);
      } catch (error) {
        this.#failed(error);
        break;
      }
    }
    this.#sending = false;
  }

  #failed(error: unknown): void {
    const { retry } = error as { retry?: string };
    this.#log.debug('Reported properties could not be sent', errorFields(error));
    if (retry === 'never') {
      this.#log.warn('Reported properties were refused', errorFields(error));
      return;
    }
    this.#dirty = this.#document !== undefined;
    this.#timer = setTimeout(() => void this.#run(), this.#retryMs);
    this.#timer.unref();
  }
}
