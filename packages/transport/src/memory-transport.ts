import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { TransportError } from './errors.ts';
import type { MemoryHub } from './memory.ts';
import type {
  InboundMessage,
  MethodResult,
  OutboundMessage,
  Transport,
  TransportHandlers,
  TransportState,
} from './port.ts';
import { refuseReported } from './reported.ts';
import { closedError, notConnectedError } from './sdk-errors.ts';

/** The transport port on a hub in the same process. */
export class MemoryTransport implements Transport {
  readonly module: string;
  readonly #hub: MemoryHub;
  #state: TransportState = 'connecting';
  #handlers: TransportHandlers | undefined;
  #busy = false;
  #underWay = new Set<Promise<void>>();
  #started: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(hub: MemoryHub, module: string) {
    this.#hub = hub;
    this.module = module;
  }

  get state(): TransportState {
    return this.#state;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.#handlers = handlers;
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
      this.#connect();
    });
  }

  async send(message: OutboundMessage): Promise<void> {
    const sending = this.#send(message);
    this.#underWay.add(sending);
    try {
      await sending;
    } finally {
      this.#underWay.delete(sending);
    }
  }

  async report(patch: Record<string, unknown>): Promise<void> {
    this.#demandConnection();
    const problem = refuseReported(patch);
    if (problem !== undefined) {
      throw new TransportError('TRANSPORT_REFUSED', problem, { retry: 'never' });
    }
    this.#hub.report(this.module, patch);
  }

  async close(_timeoutMs = 5_000): Promise<void> {
    if (this.#state === 'closed') return;
    await Promise.allSettled(this.#underWay);
    this.#hub.leave(this);
    this.#setState('closed');
    this.#started?.reject(closedError());
    this.#started = undefined;
  }

  /** @internal */
  desiredChanged(desired: Record<string, unknown>, version: number): void {
    setImmediate(() => {
      if (this.#state === 'connected') this.#handlers?.onDesired(desired, version);
    });
  }

  /** @internal */
  async invoked(method: string, payload: unknown): Promise<MethodResult> {
    const handler = this.#handlers?.methods[method];
    // As on a real hub, a module stays silent about a method that it does not have, and the caller times out.
    if (handler === undefined) return { status: 504, payload: null };
    try {
      return await handler(payload);
    } catch (error) {
      return { status: 500, payload: { message: (error as Error).message } };
    }
  }

  /** @internal */
  connectionLost(): void {
    if (this.#state !== 'connected') return;
    this.#setState('disconnected');
    this.#retryConnect();
  }

  /** @internal Delivers the head of the queue, one at a time. */
  pump(): void {
    if (this.#busy || this.#state !== 'connected') return;
    const message = this.#hub.head(this.module);
    if (message === undefined) return;
    this.#busy = true;
    const run = (): void => {
      this.#busy = false;
      if (this.#state !== 'connected') return;
      if (this.#hub.head(this.module) === message) this.#handle(message);
      this.pump();
    };
    const delayMs = this.#hub.delayMs();
    if (delayMs > 0) setTimeout(run, delayMs);
    else setImmediate(run);
  }

  #handle(message: InboundMessage): void {
    const handler = this.#handlers?.inputs[message.input];
    try {
      if (handler?.(message) === 'later') {
        this.#hub.pause(this.module, message.input);
        this.#hub.leave(this);
        this.connectionLost();
        return;
      }
    } catch (error) {
      // The process is meant to end here, so this connection is gone and the message stays in the queue.
      this.#hub.leave(this);
      this.#setState('closed');
      this.#handlers?.onFatal(error as Error);
      return;
    }
    this.#hub.settle(this.module, message);
  }

  #connect(): void {
    if (this.#state === 'closed' || this.#state === 'connected') return;
    const twin = this.#hub.admit(this);
    if (twin === null) {
      this.#retryConnect();
      return;
    }
    this.#setState('connected');
    this.desiredChanged(twin.desired, twin.version);
    this.#started?.resolve();
    this.#started = undefined;
    this.pump();
  }

  #retryConnect(): void {
    setTimeout(() => this.#connect(), this.#hub.faults.reconnectMs).unref();
  }

  async #send(message: OutboundMessage): Promise<void> {
    this.#demandConnection();
    if (Buffer.byteLength(message.body, 'utf8') > MESSAGE_BYTES_MAX) {
      throw new TransportError('TRANSPORT_TOO_LARGE', tooLargeText(message), { retry: 'never' });
    }
    const delayMs = this.#hub.delayMs();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    else await new Promise((resolve) => setImmediate(resolve));
    this.#demandConnection();
    const result = this.#hub.accept(this.module, message);
    if (result === 'stored') return;
    throw new TransportError('TRANSPORT_TIMEOUT', `no acknowledgement from the hub in time`, {
      retry: 'now',
    });
  }

  #demandConnection(): void {
    if (this.#state === 'closed') throw closedError();
    if (this.#state !== 'connected') {
      throw notConnectedError();
    }
  }

  #setState(state: TransportState): void {
    this.#state = state;
    this.#handlers?.onState?.(state);
  }
}

const tooLargeText = (message: OutboundMessage): string =>
  `message for output ${message.output} has ${Buffer.byteLength(message.body, 'utf8')} bytes, at most ${MESSAGE_BYTES_MAX} are allowed`;
