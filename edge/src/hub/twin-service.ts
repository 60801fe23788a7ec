import { HubError } from './errors.ts';
import type { Document } from './twin-rules.ts';
import type { DesiredChange, TwinStore } from './twin-store.ts';

export interface TwinPorts {
  /** Sends with QoS 0 to a client that is connected; does nothing otherwise. */
  reply(client: string, topic: string, body: string): void;
  /** Only if the client is connected and has subscribed to changes of its desired properties. */
  pushDesired(client: string, topic: string, body: string): void;
  /** Reported properties have changed: for routes and for the cloud. */
  onReported(client: string, patch: Document): void;
}

/** Twin requests of clients, answered at once from disk. */
export class TwinService {
  readonly #store: TwinStore;
  readonly #ports: TwinPorts;

  constructor(store: TwinStore, ports: TwinPorts) {
    this.#store = store;
    this.#ports = ports;
  }

  get(client: string, rid: string): void {
    const twin = this.#store.get(client);
    const body = JSON.stringify({
      desired: { ...twin.desired, $version: twin.desiredVersion },
      reported: { ...twin.reported, $version: twin.reportedVersion },
    });
    this.#ports.reply(client, `$iothub/twin/res/200/?$rid=${rid}`, body);
  }

  /**
   * Differs from edge hub in one point: a refusal has a body with `errorCode` and `message`, without which the
   * SDK takes it for success.
   */
  patchReported(client: string, rid: string, payload: Buffer): void {
    try {
      const patch = parse(payload);
      this.#store.patchReported(client, patch);
      this.#ports.reply(client, `$iothub/twin/res/204/?$rid=${rid}`, '');
      this.#ports.onReported(client, patch as Document);
    } catch (error) {
      if ((error as HubError).code !== 'HUB_BAD_REQUEST') throw error;
      const body = JSON.stringify({ errorCode: 400, message: (error as Error).message });
      this.#ports.reply(client, `$iothub/twin/res/400/?$rid=${rid}`, body);
    }
  }

  /** Tells the client of a change; one that is away reads it with its next GET. */
  push(change: DesiredChange): void {
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${change.version}`;
    const body = JSON.stringify({ ...change.patch, $version: change.version });
    this.#ports.pushDesired(change.client, topic, body);
  }
}

function parse(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    throw new HubError('HUB_BAD_REQUEST', 'the patch is not JSON');
  }
}
