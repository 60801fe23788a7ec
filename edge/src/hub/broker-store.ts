import { Readable } from 'node:stream';
import type { HubDatabase } from './database.ts';

export interface Subscription {
  topic: string;
  qos: number;
}

/** Subscriptions of the clients, on disk: a session outlives every restart of the hub. */
export class SubscriptionStore {
  readonly #db: HubDatabase;

  constructor(db: HubDatabase) {
    this.#db = db;
  }

  add(client: string, subscriptions: readonly Subscription[]): void {
    const insert = this.#db.prepare(
      'INSERT OR REPLACE INTO subscription (client, topic, qos) VALUES (?, ?, ?)',
    );
    this.#db.transaction(() => {
      for (const { topic, qos } of subscriptions) insert.run(client, topic, qos);
    })();
  }

  of(client: string): Subscription[] {
    return this.#db
      .prepare('SELECT topic, qos FROM subscription WHERE client = ? ORDER BY topic')
      .all(client) as Subscription[];
  }

  remove(client: string, topics: readonly string[]): void {
    const statement = this.#db.prepare('DELETE FROM subscription WHERE client = ? AND topic = ?');
    this.#db.transaction(() => {
      for (const topic of topics) statement.run(client, topic);
    })();
  }

  clear(client: string): void {
    this.#db.prepare('DELETE FROM subscription WHERE client = ?').run(client);
  }
}

interface ClientId {
  id: string;
}
interface PacketId {
  messageId?: number;
}

/**
 * What aedes keeps for its sessions. Only subscriptions are real: the hub has queues of its own, so nothing is
 * queued, retained or willed here.
 */
export function brokerPersistence(
  subscriptions: SubscriptionStore,
  onWritten: (clientId: string, packetId: number) => void,
): object {
  const nothing = async (): Promise<void> => undefined;
  const none = async (): Promise<never[]> => [];
  const empty = (): Readable => Readable.from([]);
  return {
    setup: nothing,
    destroy: nothing,
    storeRetained: nothing,
    createRetainedStream: empty,
    createRetainedStreamCombi: empty,
    addSubscriptions: async (client: ClientId, subs: readonly Subscription[]) =>
      subscriptions.add(client.id, subs),
    removeSubscriptions: async (client: ClientId, topics: readonly string[]) =>
      subscriptions.remove(client.id, topics),
    subscriptionsByClient: async (client: ClientId) => subscriptions.of(client.id),
    subscriptionsByTopic: none,
    cleanSubscriptions: async (client: ClientId) => subscriptions.clear(client.id),
    countOffline: async () => ({ subsCount: 0, clientsCount: 0 }),
    outgoingEnqueue: nothing,
    outgoingEnqueueCombi: nothing,
    outgoingUpdate: async (client: ClientId, packet: PacketId) => {
      if (packet.messageId !== undefined) onWritten(client.id, packet.messageId);
    },
    outgoingClearMessageId: async (_client: ClientId, packet: PacketId) => packet,
    outgoingStream: empty,
    incomingStorePacket: nothing,
    incomingGetPacket: async () => {
      throw new Error('no such packet');
    },
    incomingDelPacket: nothing,
    cleanIncoming: nothing,
    putWill: nothing,
    getWill: nothing,
    delWill: nothing,
    streamWill: empty,
    getClientList: empty,
  };
}

type Callback = () => void;

/** Topic matching of aedes, switched off: clients of edge hub never talk to each other by topic. */
export const brokerEmitter = {
  on: (_topic: string, _listener: unknown, done?: Callback) => done?.(),
  removeListener: (_topic: string, _listener: unknown, done?: Callback) => done?.(),
  emit: (_packet: unknown, done?: Callback) => done?.(),
  close: (done?: Callback) => done?.(),
};
