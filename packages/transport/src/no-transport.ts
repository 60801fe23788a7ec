import { TransportError } from './errors.ts';
import type { Transport, TransportHandlers, TransportState } from './port.ts';

/** A transport that never connects: for trying a module alone. Sends fail as they do before the first connection. */
export class NoTransport implements Transport {
  #state: TransportState = 'connecting';
  #closed: ((error: Error) => void) | undefined;

  get state(): TransportState {
    return this.#state;
  }

  start(_handlers: TransportHandlers): Promise<void> {
    return new Promise((_resolve, reject) => {
      this.#closed = reject;
    });
  }

  send(): Promise<void> {
    return Promise.reject(this.#error());
  }

  report(): Promise<void> {
    return Promise.reject(this.#error());
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#closed?.(this.#error());
    this.#closed = undefined;
  }

  #error(): TransportError {
    return this.#state === 'closed'
      ? new TransportError('TRANSPORT_CLOSED', 'the transport is closed', { retry: 'never' })
      : new TransportError('TRANSPORT_NOT_CONNECTED', 'there is no hub', { retry: 'later' });
  }
}
