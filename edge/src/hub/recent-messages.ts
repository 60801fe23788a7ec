import type { HubMessage } from './message.ts';

/** Bytes of bodies kept in memory: a message that is delivered at once is then never read back from disk. */
const RECENT_BYTES_MAX = 6 * 1024 * 1024;

/** The newest messages, oldest dropped first. Only a cache: what is not here is on disk. */
export class RecentMessages {
  readonly #messages = new Map<number, HubMessage>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = RECENT_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  add(id: number, message: HubMessage): void {
    this.#messages.set(id, message);
    this.#bytes += cost(message);
    for (const oldest of this.#messages.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.settle(oldest);
    }
  }

  get(id: number): HubMessage | undefined {
    return this.#messages.get(id);
  }

  /** Forgets a message. Another queue that still needs it reads it from disk. */
  settle(id: number): void {
    const message = this.#messages.get(id);
    if (message === undefined) return;
    this.#messages.delete(id);
    this.#bytes -= cost(message);
  }
}

/** Objects and strings of the properties weigh about as much as 1 kB of body. */
const cost = (message: HubMessage): number => message.body.length + 1_024;
