import { cleanFaults, type MemoryFaults } from './memory-faults.ts';
import { MemoryTransport } from './memory-transport.ts';
import type { InboundMessage, MethodResult, OutboundMessage } from './port.ts';
import { mergePatch } from './reported.ts';

interface MemoryRoute {
  from: string;
  output: string;
  to: string;
  input: string;
}

/** Pause of an input whose message could not be taken; doubles each time. A real hub begins with a second. */
const LATER_MS_MIN = 20;
const LATER_MS_MAX = 1_000;

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
  /** Inputs that wait before their next try, as `<module>/<input>`. */
  readonly #pausing = new Set<string>();
  /** Length of the last pause of each input since it took a message. */
  readonly #pauses = new Map<string, number>();
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
    const queue = this.#queues.get(module);
    return queue?.find(({ input }) => !this.#pausing.has(`${module}/${input}`));
  }

  /** @internal The module could not take a message of this input; its other inputs go on meanwhile. */
  pause(module: string, input: string): void {
    const name = `${module}/${input}`;
    const pauseMs = Math.min(LATER_MS_MAX, (this.#pauses.get(name) ?? LATER_MS_MIN / 2) * 2);
    this.#pauses.set(name, pauseMs);
    this.#pausing.add(name);
    setTimeout(() => {
      this.#pausing.delete(name);
      this.#connections.get(module)?.pump();
    }, pauseMs).unref();
  }

  /** @internal */
  settle(module: string, message: InboundMessage): void {
    this.#pauses.delete(`${module}/${message.input}`);
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
