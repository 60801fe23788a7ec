import type { Client } from 'aedes';

/** A client id taken apart: `<device>/<module>` or, for a leaf device, `<device>`. */
export interface ClientName {
  device: string;
  module?: string;
}

export function parseClientId(id: string): ClientName | undefined {
  const parts = id.split('/');
  if (parts.length > 2 || parts.some((part) => part === '')) return undefined;
  const [device, module] = parts;
  return module === undefined ? { device: device! } : { device: device!, module };
}

export interface Session extends ClientName {
  id: string;
  client: Client;
  /** Seconds since 1970 at which the token runs out. */
  expirySecs: number;
  connectedMs: number;
}

/** The clients that are connected now, by client id; at most one connection each. */
export class Sessions {
  readonly #byId = new Map<string, Session>();

  add(session: Session): void {
    this.#byId.set(session.id, session);
  }

  /** False when this connection had already been replaced by a newer one. */
  remove(client: Client): boolean {
    if (this.#byId.get(client.id)?.client !== client) return false;
    return this.#byId.delete(client.id);
  }

  get(id: string): Session | undefined {
    return this.#byId.get(id);
  }

  all(): Session[] {
    return [...this.#byId.values()];
  }

  isSubscribed(id: string, topic: string): boolean {
    const session = this.#byId.get(id);
    return session !== undefined && listens(session.client, topic);
  }
}

/** aedes keeps the filters of a connection here; its types do not say so. */
const listens = (client: Client, topic: string): boolean =>
  Object.hasOwn((client as unknown as { subscriptions: object }).subscriptions, topic);

/** Filters that the SDK subscribes to. */
export const FILTERS = {
  methods: '$iothub/methods/POST/#',
  desired: '$iothub/twin/PATCH/properties/desired/#',
  inputs: (name: ClientName): string => `devices/${name.device}/modules/${name.module}/inputs/#`,
} as const;
