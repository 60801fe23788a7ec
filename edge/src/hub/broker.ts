import { readFileSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type Client, type PublishPacket } from 'aedes';
import { brokerEmitter, brokerPersistence, type SubscriptionStore } from './broker-store.ts';
import type { ConnectVerdict } from './connect-check.ts';
import { limitPackets } from './packet-limit.ts';

export interface BrokerPorts {
  /** Undefined: not ready, CONNACK 3. */
  authenticate(clientId: string, userName: string, password: string): ConnectVerdict | undefined;
  /** Before TLS data is looked at; true ends the connection. */
  rejectsSockets(): boolean;
  onConnected(client: Client, expirySecs: number): void;
  onDisconnected(client: Client): void;
  onSubscriptions(client: Client): void;
  /** `done` lets the acknowledgement go, or with an error ends the connection without one. */
  onPublish(client: Client, packet: PublishPacket, done: (error?: Error) => void): void;
  /** The client has acknowledged a packet. */
  onAcknowledged(client: Client, packetId: number): void;
  /** A message to a client was given a packet id. */
  onPacketId(clientId: string, packetId: number): void;
  onProblem(event: string, fields: Record<string, unknown>): void;
}

export interface Broker {
  readonly port: number;
  close(): Promise<void>;
}

/** CONNECT must arrive in this time, as in edge hub. */
const CONNECT_TIMEOUT_MS = 60_000;
/** Longest keep-alive that edge hub grants, in s; 0 in a CONNECT would be none. */
const NO_KEEPALIVE_LIMIT = 0;

/** MQTT 3.1.1 over TLS by aedes, reduced to the protocol: sessions, queues and routing are the hub's. */
export async function startBroker(
  listen: { host: string; port: number; tls: { keyFile: string; certFile: string } },
  subscriptions: SubscriptionStore,
  ports: BrokerPorts,
): Promise<Broker> {
  const expiry = new WeakMap<Client, number>();
  const aedes = await Aedes.createBroker({
    mq: brokerEmitter,
    persistence: brokerPersistence(subscriptions, (id, packet) => ports.onPacketId(id, packet)),
    connectTimeout: CONNECT_TIMEOUT_MS,
    keepaliveLimit: NO_KEEPALIVE_LIMIT,
    maxClientsIdLength: 256,
    authenticate: (client, userName, password, done) => {
      const text = Buffer.from(password ?? []).toString('utf8');
      const verdict = ports.authenticate(client.id, userName ?? '', text);
      if (verdict?.ok === true) {
        expiry.set(client, verdict.expirySecs);
        keepSession(client);
        done(null, true);
        return;
      }
      const reason = verdict?.reason ?? 'the hub is not ready';
      const returnCode = verdict === undefined ? 3 : 5;
      done(Object.assign(new Error(reason), { returnCode }), false);
    },
    authorizePublish: (client, packet, done) => {
      if (client === null) done(new Error('no client'));
      else ports.onPublish(client, packet, done);
    },
  });
  aedes.on('clientReady', (client) => ports.onConnected(client, expiry.get(client) ?? 0));
  aedes.on('clientDisconnect', (client) => ports.onDisconnected(client));
  aedes.on('subscribe', (_subscriptions, client) => ports.onSubscriptions(client));
  aedes.on('unsubscribe', (_topics, client) => ports.onSubscriptions(client));
  aedes.on('ack', (packet, client) => {
    const id = (packet as { messageId?: number } | undefined)?.messageId;
    if (id !== undefined) ports.onAcknowledged(client, id);
  });
  const problem = (event: string) => (client: Client, error: Error) =>
    ports.onProblem(event, { client: client.id, detail: error.message });
  aedes.on('clientError', problem('Connection of a client ended with an error'));
  aedes.on('connectionError', problem('Connection ended before it was one'));
  aedes.on('keepaliveTimeout', (client) =>
    ports.onProblem('Client was silent for too long', { client: client.id }),
  );

  const sockets = new Set<Socket>();
  const server = createServer(
    { key: readFileSync(listen.tls.keyFile), cert: readFileSync(listen.tls.certFile) },
    (socket) => accept(socket, aedes, ports),
  );
  server.on('connection', (socket: Socket) => {
    if (ports.rejectsSockets()) {
      socket.resetAndDestroy();
      return;
    }
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', (error) =>
    ports.onProblem('TLS handshake failed', { detail: error.message }),
  );
  await listenOn(server, listen.host, listen.port);
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Packet ids of a clean session are not reported by aedes. A session that begins clean is treated as one that is
 * kept from then on; the next CONNECT with `clean` empties it again.
 */
function keepSession(client: Client): void {
  (client as { clean: boolean }).clean = false;
}

function accept(socket: TLSSocket, aedes: Aedes, ports: BrokerPorts): void {
  socket.on('error', () => undefined);
  limitPackets(socket, (bytes) =>
    ports.onProblem('Packet is larger than the hub takes', { bytes }),
  );
  aedes.handle(socket);
}

function listenOn(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
