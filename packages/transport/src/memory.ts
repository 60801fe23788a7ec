import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { TransportError } from './errors.ts';
import { cleanFaults, type MemoryFaults } from './memory-faults.ts';
import type {
  InboundMessage,
  MethodResult,
  OutboundMessage,
  Transport,
  TransportHandlers,
  TransportState,
} from './port.ts';
import { mergePatch, refuseReported } from './reported.ts';

interface MemoryRoute {
  from: string;
  output: string;
  to: string;
  input: string;
}

interface Twin {
  desired: Record<string, unknown>;
  version: number;
  reported: Record<string, unknown>;
}

/**
 * A hub in this process: stores before it acknowledges, holds one unacknowledged message a module, delivers at
 * least once and in order, keeps queues and twins over disconnections. What goes wrong is set in `faults`.
 */
export class MemoryHub {
  readonly faults: MemoryFaults = cleanFaults();
  readonly #routes: MemoryRoute[] = [];
  readonly #queues = new Map<string, InboundMessage[]>();
  readonly #twins = new Map<string, Twin>();
  readonly #connections = new Map<string, MemoryTransport>();
  readonly #random: () => number;
  #nextId = 0;
  /** No connection is accepted while true. */
  #refusing = false;

  constructor(options: { random?: () => number } = {}) {
    this.#random = options.random ?? (() => 1);
  }

  /** `from` and `to` as `<module>/<output>` and `<module>/<input>`. */
  route(from: string, to: string): this {
    const [fromModule = '', output = ''] = from.split('/');
    const [toModule = '', input = ''] = to.split('/');
    this.#routes.push({ from: fromModule, output, to: toModule, input });
    return this;
  }

  /** A transport for one module; the newest one to start has the connection. */
  transport(module: string): MemoryTransport {
    return new MemoryTransport(this, module);
  }

  /** Puts a message on a module's input as if somebody had sent it. */
  deliver(module: string, message: Omit<InboundMessage, 'properties'> & Partial<InboundMessage>) {
    this.#enqueue(module, { properties: {}, ...message });
  }

  /** Replaces a module's desired properties. */
  setDesired(module: string, desired: Record<string, unknown>): void {
    const twin = this.#twin(module);
    twin.desired = structuredClone(desired);
    twin.version++;
    this.#connections.get(module)?.desiredChanged(structuredClone(desired), twin.version);
  }

  reported(module: string): Record<string, unknown> {
    return structuredClone(this.#twin(module).reported);
  }

  queued(module: string): number {
    return this.#queues.get(module)?.length ?? 0;
  }

  invoke(module: string, method: string, payload: unknown): Promise<MethodResult> {
    const connection = this.#connections.get(module);
    if (connection === undefined) return Promise.resolve({ status: 404, payload: null });
    return connection.invoked(method, payload);
  }

  /** Ends connections; they come back by themselves unless the hub refuses. */
  disconnect(module?: string): void {
    for (const [name, connection] of [...this.#connections]) {
      if (module === undefined || module === name) {
        this.#connections.delete(name);
        connection.connectionLost();
      }
    }
  }

  /** While refusing, nobody gets in; existing connections end. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
    if (refusing) this.disconnect();
  }

  /** @internal */
  admit(connection: MemoryTransport): { desired: Record<string, unknown>; version: number } | null {
    if (this.#refusing) return null;
    const previous = this.#connections.get(connection.module);
    if (previous !== undefined && previous !== connection) previous.connectionLost();
    this.#connections.set(connection.module, connection);
    const twin = this.#twin(connection.module);
    return { desired: structuredClone(twin.desired), version: twin.version };
  }

  /** @internal */
  leave(connection: MemoryTransport): void {
    if (this.#connections.get(connection.module) === connection) {
      this.#connections.delete(connection.module);
    }
  }

  /** @internal Stores a message for every route that matches; false when it was lost on the way. */
  accept(module: string, message: OutboundMessage): 'stored' | 'lost' | 'unacknowledged' {
    const chance = (probability: number): boolean => this.#random() < probability;
    if (chance(this.faults.loseSend)) return 'lost';
    const messageId = message.messageId ?? `memory-${++this.#nextId}`;
    for (const route of this.#routes) {
      if (route.from !== module || route.output !== message.output) continue;
      const copy: InboundMessage = {
        input: route.input,
        body: Buffer.from(message.body, 'utf8'),
        properties: { ...message.properties },
        messageId,
        contentType: 'application/json',
        sender: module,
      };
      if (chance(this.faults.drop)) continue;
      this.#enqueue(route.to, copy);
      if (chance(this.faults.duplicate)) this.#enqueue(route.to, copy);
    }
    return chance(this.faults.loseAcknowledgement) ? 'unacknowledged' : 'stored';
  }

  /** @internal */
  head(module: string): InboundMessage | undefined {
    return this.#queues.get(module)?.[0];
  }

  /** @internal */
  settle(module: string, message: InboundMessage): void {
    const queue = this.#queues.get(module);
    const at = queue?.indexOf(message) ?? -1;
    if (at >= 0) queue?.splice(at, 1);
  }

  /** @internal */
  report(module: string, patch: Record<string, unknown>): void {
    const twin = this.#twin(module);
    twin.reported = mergePatch(twin.reported, patch);
  }

  /** @internal */
  delayMs(): number {
    const { min, max } = this.faults.delayMs;
    return max === 0 ? 0 : min + Math.floor(this.#random() * (max - min + 1));
  }

  #enqueue(module: string, message: InboundMessage): void {
    const queue = this.#queues.get(module) ?? [];
    this.#queues.set(module, queue);
    const reorder = this.#random() < this.faults.reorder;
    // The head may be in the hands of the module just now, so nothing goes in front of it.
    const at = reorder
      ? Math.min(queue.length, 1 + Math.floor(this.#random() * queue.length))
      : queue.length;
    queue.splice(at, 0, message);
    this.#connections.get(module)?.pump();
  }

  #twin(module: string): Twin {
    const twin = this.#twins.get(module) ?? { desired: {}, version: 1, reported: {} };
    this.#twins.set(module, twin);
    return twin;
  }
}

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
      handler?.(message);
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
      throw new TransportError('TRANSPORT_NOT_CONNECTED', 'there is no connection to the hub', {
        retry: 'later',
      });
    }
  }

  #setState(state: TransportState): void {
    this.#state = state;
    this.#handlers?.onState?.(state);
  }
}

const closedError = (): TransportError =>
  new TransportError('TRANSPORT_CLOSED', 'the transport is closed', { retry: 'never' });

const tooLargeText = (message: OutboundMessage): string =>
  `message for output ${message.output} has ${Buffer.byteLength(message.body, 'utf8')} bytes, at most ${MESSAGE_BYTES_MAX} are allowed`;
