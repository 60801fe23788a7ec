import type { EndpointQueue } from './endpoint-queue.ts';
import { isExpired } from './endpoint-queue.ts';
import type { HubMessage, QueueEntry } from './message.ts';

export interface DeliveryPorts {
  nowMs(): number;
  read(messageId: number): HubMessage | undefined;
  /** Publishes with QoS 1. `packetId` is reported once the broker has given one out. */
  publish(input: string, message: HubMessage): void;
  settle(queue: EndpointQueue, entry: QueueEntry): void;
  /** An entry that will not be delivered. */
  drop(queue: EndpointQueue, entry: QueueEntry, reason: 'ttl_expiry' | 'damaged'): void;
  delivered(queue: EndpointQueue, message: HubMessage): void;
  timedOut(queue: EndpointQueue): void;
  /** Ends the connection: whoever does not answer for long is not there. */
  point(name: 'before-deliver' | 'after-ack'): void;
}

interface InFlight {
  input: Input;
  queue: EndpointQueue;
  entry: QueueEntry;
  message: HubMessage;
  packetId: number | undefined;
  timer: NodeJS.Timeout;
}

interface Input {
  name: string;
  /** By priority, best first. */
  queues: EndpointQueue[];
  /** Tries in succession that ended without an acknowledgement. */
  failures: number;
  /** Runs while the input has to wait before its next try. */
  pause: NodeJS.Timeout | undefined;
}

/** Pause of an input after its second failure in succession; doubles up to the maximum, as the edge hub's does. */
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 60_000;

/**
 * Delivery to one module: at most one unacknowledged message over all its inputs.
 *
 * States: *away* (no connection, or no subscription to inputs: nothing is taken from the queues), *idle* (all
 * queues empty), *busy* (one message in flight). Busy ends by the acknowledgement (settled), by time-out or by
 * loss of the connection (given back to the front, sent again under a new packet id: at least once, in order). An input
 * whose message fails again and again is tried with growing pauses, and the others go on.
 */
export class ModuleDelivery {
  readonly #ports: DeliveryPorts;
  readonly #ackTimeoutMs: () => number;
  readonly #inputs: Input[] = [];
  #next = 0;
  #attached = false;
  #inFlight: InFlight | undefined;

  constructor(ports: DeliveryPorts, ackTimeoutMs: () => number) {
    this.#ports = ports;
    this.#ackTimeoutMs = ackTimeoutMs;
  }

  get busy(): boolean {
    return this.#inFlight !== undefined;
  }

  addQueue(input: string, queue: EndpointQueue): void {
    let slot = this.#inputs.find((candidate) => candidate.name === input);
    if (slot === undefined) {
      slot = { name: input, queues: [], failures: 0, pause: undefined };
      this.#inputs.push(slot);
    }
    slot.queues.push(queue);
    slot.queues.sort((a, b) => a.priority - b.priority);
  }

  removeQueue(queue: EndpointQueue): void {
    for (const input of this.#inputs) input.queues = input.queues.filter((q) => q !== queue);
    if (this.#inFlight?.queue === queue) this.#clear();
  }

  /** The module is connected and listens to its inputs. */
  attach(): void {
    this.#attached = true;
    this.wake();
  }

  detach(): void {
    this.#attached = false;
    this.#giveBack();
  }

  /** There may be something to deliver. */
  wake(): void {
    if (!this.#attached || this.#inFlight !== undefined) return;
    const next = this.#takeNext();
    if (next === undefined) return;
    this.#ports.point('before-deliver');
    const timer = setTimeout(() => this.#timeOut(), this.#ackTimeoutMs());
    this.#inFlight = { ...next, packetId: undefined, timer };
    this.#ports.publish(next.input.name, next.message);
  }

  /** The broker has written the message in flight under this packet id. */
  sent(packetId: number): void {
    if (this.#inFlight !== undefined) this.#inFlight.packetId ??= packetId;
  }

  /** An acknowledgement of an earlier try says nothing about the present one. */
  acknowledged(packetId: number): void {
    const inFlight = this.#inFlight;
    if (inFlight === undefined || inFlight.packetId !== packetId) return;
    this.#clear();
    inFlight.input.failures = 0;
    this.#ports.settle(inFlight.queue, inFlight.entry);
    this.#ports.delivered(inFlight.queue, inFlight.message);
    this.#ports.point('after-ack');
    this.wake();
  }

  /** Round robin over the inputs; in an input the best priority, in that the oldest. */
  #takeNext():
    | { queue: EndpointQueue; entry: QueueEntry; message: HubMessage; input: Input }
    | undefined {
    for (let tried = 0; tried < this.#inputs.length; tried++) {
      const input = this.#inputs[(this.#next + tried) % this.#inputs.length]!;
      if (input.pause !== undefined) continue;
      for (const queue of input.queues) {
        const taken = this.#takeFrom(queue);
        if (taken === undefined) continue;
        this.#next = (this.#next + tried + 1) % this.#inputs.length;
        return { ...taken, queue, input };
      }
    }
    return undefined;
  }

  #takeFrom(queue: EndpointQueue): { entry: QueueEntry; message: HubMessage } | undefined {
    for (let entry = queue.take(); entry !== undefined; entry = queue.take()) {
      if (isExpired(entry, this.#ports.nowMs())) {
        this.#ports.drop(queue, entry, 'ttl_expiry');
        continue;
      }
      const message = this.#ports.read(entry.messageId);
      if (message !== undefined) return { entry, message };
      this.#ports.drop(queue, entry, 'damaged');
    }
    return undefined;
  }

  #timeOut(): void {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return;
    this.#ports.timedOut(inFlight.queue);
    this.#giveBack();
    this.wake();
  }

  #giveBack(): void {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return;
    this.#clear();
    inFlight.queue.giveBack(inFlight.entry);
    this.#pause(inFlight.input);
  }

  #pause(input: Input): void {
    input.failures += 1;
    if (input.failures < 2) return;
    const pauseMs = Math.min(PAUSE_MS_MIN * 2 ** (input.failures - 2), PAUSE_MS_MAX);
    input.pause = setTimeout(() => {
      input.pause = undefined;
      this.wake();
    }, pauseMs).unref();
  }

  #clear(): void {
    clearTimeout(this.#inFlight?.timer);
    this.#inFlight = undefined;
  }
}
