import type { Seeded } from '@holdfast/testkit';
import { type InboundMessage, type OutboundMessage, TransportError } from '@holdfast/transport';

/** Probabilities of what goes wrong between two modules. */
export interface HubFaults {
  /** A send never arrives; its sender is told so. */
  lose: number;
  /** A send arrives and its sender is told that it did not. */
  loseAcknowledgement: number;
  /** A message is acknowledged to its sender and then gone. */
  drop: number;
  /** A message overtakes another. */
  reorder: number;
  /** A delivery is handled and comes again. */
  redeliver: number;
}

export const NO_FAULTS: HubFaults = {
  lose: 0,
  loseAcknowledgement: 0,
  drop: 0,
  reorder: 0,
  redeliver: 0,
};

interface Send {
  from: string;
  message: OutboundMessage;
  done(error?: TransportError): void;
}

/** `<module>/<output>` to `<module>/<input>`, as in the deployment. */
const ROUTES: Readonly<Record<string, string>> = {
  'ingest/readings': 'inference/readings',
  'inference/scores': 'forwarder/scores',
  'inference/demands': 'ingest/demands',
  'forwarder/receipts': 'ingest/receipts',
};

/** Queues between modules. Nothing moves by itself: each call of `acceptOne` and `take` is a step of the simulation. */
export class SimulatedHub {
  faults: HubFaults = NO_FAULTS;
  readonly #random: Seeded;
  readonly #sends: Send[] = [];
  readonly #queues = new Map<string, InboundMessage[]>();
  readonly #connected = new Set<string>();
  #ids = 0;

  constructor(random: Seeded) {
    this.#random = random;
  }

  connected(module: string): boolean {
    return this.#connected.has(module);
  }

  connect(module: string): void {
    this.#connected.add(module);
  }

  /** What was under way from this module is lost or not, and its sender does not learn which. */
  disconnect(module: string): void {
    this.#connected.delete(module);
    for (const send of this.#sends.filter(({ from }) => from === module)) {
      if (this.#random.chance(0.5)) this.#store(send);
      this.#remove(send);
      send.done(notConnected());
    }
  }

  send(from: string, message: OutboundMessage, done: (error?: TransportError) => void): void {
    if (!this.connected(from)) done(notConnected());
    else this.#sends.push({ from, message, done });
  }

  /** A message from outside, for input `devices`. */
  deliver(module: string, message: InboundMessage): void {
    this.#queue(module).push(message);
  }

  waiting(module: string): number {
    return this.#queue(module).length;
  }

  /** The hub looks at one send. */
  acceptOne(): void {
    const send = this.#sends[0];
    if (send === undefined) return;
    this.#remove(send);
    const happens = (probability: number): boolean => this.#random.chance(probability);
    const lost = happens(this.faults.lose);
    if (!lost && !happens(this.faults.drop)) this.#store(send);
    const unacknowledged = lost || happens(this.faults.loseAcknowledgement);
    send.done(unacknowledged ? timeout() : undefined);
  }

  /** The next message of a module; give it to `settle` when it is handled. */
  head(module: string): InboundMessage | undefined {
    const queue = this.#queue(module);
    if (queue.length > 1 && this.#random.chance(this.faults.reorder)) {
      queue.push(queue.shift()!);
    }
    return queue[0];
  }

  /** @returns whether the message is gone for good */
  settle(module: string, message: InboundMessage): boolean {
    if (this.#random.chance(this.faults.redeliver)) return false;
    const queue = this.#queue(module);
    const at = queue.indexOf(message);
    if (at >= 0) queue.splice(at, 1);
    return true;
  }

  #store({ from, message }: Send): void {
    const to = ROUTES[`${from}/${message.output}`];
    if (to === undefined) throw new Error(`no route from ${from}/${message.output}`);
    const [module = '', input = ''] = to.split('/');
    this.#queue(module).push({
      input,
      body: Buffer.from(message.body, 'utf8'),
      properties: { ...message.properties },
      messageId: message.messageId ?? `hub-${++this.#ids}`,
      sender: from,
    });
  }

  #remove(send: Send): void {
    this.#sends.splice(this.#sends.indexOf(send), 1);
  }

  #queue(module: string): InboundMessage[] {
    const queue = this.#queues.get(module) ?? [];
    this.#queues.set(module, queue);
    return queue;
  }
}

const timeout = (): TransportError =>
  new TransportError('TRANSPORT_TIMEOUT', 'no acknowledgement in time', { retry: 'now' });
const notConnected = (): TransportError =>
  new TransportError('TRANSPORT_NOT_CONNECTED', 'there is no connection', { retry: 'now' });
