import type { EndpointQueue } from './endpoint-queue.ts';
import type { HubParts } from './hub.ts';
import type { HubMessage } from './message.ts';
import { ModuleDelivery } from './module-delivery.ts';
import { FILTERS } from './sessions.ts';
import { inputTopic } from './topics.ts';

/** @see HubConfig.ackTimeoutMs */
const ACK_TIMEOUT_MS = 30_000;

/** Delivery to all modules of this device, by module id. */
export class Deliveries {
  readonly #parts: () => HubParts;
  readonly #modules = new Map<string, ModuleDelivery>();

  constructor(parts: () => HubParts) {
    this.#parts = parts;
  }

  addQueue(queue: EndpointQueue): void {
    const { module, input } = parse(queue.endpoint);
    this.#of(module).addQueue(input, queue);
  }

  removeQueue(queue: EndpointQueue): void {
    this.#modules.get(parse(queue.endpoint).module)?.removeQueue(queue);
  }

  wake(endpoint: string): void {
    this.#modules.get(parse(endpoint).module)?.wake();
  }

  /** A module is connected, or has changed its subscriptions. */
  subscriptionsChanged(module: string): void {
    const { sessions, config } = this.#parts();
    const id = `${config.deviceId}/${module}`;
    const filter = FILTERS.inputs({ device: config.deviceId, module });
    if (sessions.isSubscribed(id, filter)) this.#of(module).attach();
    else this.detach(module);
  }

  detach(module: string): void {
    this.#modules.get(module)?.detach();
  }

  sent(module: string, packetId: number): void {
    this.#modules.get(module)?.sent(packetId);
  }

  acknowledged(module: string, packetId: number): void {
    this.#modules.get(module)?.acknowledged(packetId);
  }

  #of(module: string): ModuleDelivery {
    const known = this.#modules.get(module);
    if (known !== undefined) return known;
    const delivery = new ModuleDelivery(
      {
        nowMs: () => this.#parts().nowMs(),
        read: (id) => this.#parts().store.read(id),
        publish: (input, message) => this.#publish(module, input, message),
        settle: (queue, entry) => this.#parts().queues.settle(queue, entry),
        drop: (queue, entry, reason) => this.#parts().queues.drop(queue, entry, reason),
        delivered: (queue, message) => this.#delivered(queue, message),
        timedOut: (queue) => {
          const { metrics, log } = this.#parts();
          metrics.count('edgehub_operation_retry_total', { operation: 'deliver', id: module });
          log('warn', 'Module did not acknowledge in time, message is sent again', {
            endpoint: queue.endpoint,
          });
        },
        point: (point) => this.#parts().faults.at(point),
      },
      () => this.#parts().config.ackTimeoutMs ?? ACK_TIMEOUT_MS,
    );
    this.#modules.set(module, delivery);
    return delivery;
  }

  #publish(module: string, input: string, message: HubMessage): void {
    const { sessions, config } = this.#parts();
    const session = sessions.get(`${config.deviceId}/${module}`);
    const topic = inputTopic(config.deviceId, module, input, message.properties);
    session?.client.publish(
      { cmd: 'publish', topic, payload: message.body, qos: 1, retain: false, dup: false },
      () => undefined,
    );
  }

  #delivered(queue: EndpointQueue, message: HubMessage): void {
    const { system } = message.properties;
    this.#parts().metrics.count('edgehub_messages_sent_total', {
      from: senderOf(system),
      to: parse(queue.endpoint).module,
      from_route_output: system.outputName ?? '',
      to_route_input: parse(queue.endpoint).input,
      priority: String(queue.priority),
    });
  }
}

/** `<device>/<module>`, or `<device>` for a leaf device. */
export function senderOf(system: Readonly<Record<string, string>>): string {
  const device = system.connectionDeviceId ?? '';
  const module = system.connectionModuleId;
  return module === undefined ? device : `${device}/${module}`;
}

function parse(endpoint: string): { module: string; input: string } {
  const at = endpoint.indexOf('/');
  return { module: endpoint.slice(0, at), input: endpoint.slice(at + 1) };
}
