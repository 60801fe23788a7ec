import type { Client, PublishPacket } from 'aedes';
import type { BrokerPorts } from './broker.ts';
import { type ConnectVerdict, checkConnect } from './connect-check.ts';
import { HubError } from './errors.ts';
import type { HubParts } from './hub.ts';
import { type HubMessage, MESSAGE_BYTES_MAX, sizeOf } from './message.ts';
import { type ClientName, parseClientId } from './sessions.ts';
import { decodeProperties, parsePublishTopic } from './topics.ts';

type Done = (error?: Error) => void;

/** Everything that clients do to the hub. */
export class Ingress implements BrokerPorts {
  /** False until what a former life left is loaded: connections are then told to come again. */
  ready = false;
  readonly #parts: HubParts;

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  authenticate(clientId: string, userName: string, password: string): ConnectVerdict | undefined {
    const { config, faults, metrics, log, nowMs } = this.#parts;
    if (!this.ready || faults.refuseConnections === 'unavailable') return undefined;
    const verdict: ConnectVerdict =
      faults.refuseConnections === 'unauthorized'
        ? { ok: false, reason: 'a fault switch refuses all connections' }
        : checkConnect(
            { clientId, userName, password },
            { ...config, nowSecs: Math.floor(nowMs() / 1_000) },
          );
    if (!verdict.ok) {
      metrics.count('edgehub_client_connect_failed_total', { reason: verdict.reason });
      log('warn', 'Connection is refused', { client: clientId, reason: verdict.reason });
    }
    return verdict;
  }

  rejectsSockets(): boolean {
    return this.#parts.faults.refuseConnections === 'reset';
  }

  onConnected(client: Client, expirySecs: number): void {
    const { sessions, log, nowMs } = this.#parts;
    const name = nameOf(client);
    sessions.add({ ...name, id: client.id, client, expirySecs, connectedMs: nowMs() });
    log('info', 'Client is connected', { client: client.id });
    this.#subscriptionsChanged(client, name);
  }

  onDisconnected(client: Client): void {
    const { sessions, deliveries, log } = this.#parts;
    if (!sessions.remove(client)) return;
    const name = nameOf(client);
    if (name.module !== undefined) deliveries.detach(name.module);
    log('info', 'Client is disconnected', { client: client.id });
  }

  onSubscriptions(client: Client): void {
    if (this.#isCurrent(client)) this.#subscriptionsChanged(client, nameOf(client));
  }

  onAcknowledged(client: Client, packetId: number): void {
    const { module } = nameOf(client);
    if (module === undefined || !this.#isCurrent(client)) return;
    this.#parts.deliveries.acknowledged(module, packetId);
  }

  onPacketId(clientId: string, packetId: number): void {
    const module = parseClientId(clientId)?.module;
    if (module !== undefined) this.#parts.deliveries.sent(module, packetId);
  }

  onProblem(event: string, fields: Record<string, unknown>): void {
    this.#parts.log('warn', event, fields);
  }

  onPublish(client: Client, packet: PublishPacket, done: Done): void {
    const { twins, methods, metrics, log } = this.#parts;
    if (packet.qos === 2) {
      done(new HubError('HUB_NOT_SUPPORTED', 'QoS 2 is not supported'));
      return;
    }
    const topic = parsePublishTopic(packet.topic);
    const payload = bytesOf(packet.payload);
    switch (topic.kind) {
      case 'message':
        this.#message(client, packet, topic, done);
        return;
      case 'twin-get':
        metrics.count('edgehub_gettwin_total', { id: client.id });
        twins.get(client.id, topic.rid);
        break;
      case 'twin-patch':
        twins.patchReported(client.id, topic.rid, payload);
        break;
      case 'method-response':
        if (!methods.answer(client.id, topic.rid, topic.status, payload)) {
          log('info', 'Nobody waits for this method response', { client: client.id });
        }
        break;
      default:
        this.#drop(client, 'unknown_topic', { topic: packet.topic.slice(0, 200) });
    }
    done();
  }

  #message(
    client: Client,
    packet: PublishPacket,
    topic: ClientName & { properties: string },
    done: Done,
  ): void {
    const { router, inbox, metrics, faults } = this.#parts;
    const name = nameOf(client);
    if (topic.device !== name.device || topic.module !== name.module) {
      this.#drop(client, 'foreign_topic', { topic: packet.topic.slice(0, 200) });
      done();
      return;
    }
    const message = messageOf(name, topic.properties, bytesOf(packet.payload));
    const bytes = sizeOf(message);
    if (bytes > MESSAGE_BYTES_MAX) {
      this.#drop(client, 'too_large', { bytes });
      done(new HubError('HUB_MESSAGE_TOO_LARGE', `${bytes} bytes, allowed ${MESSAGE_BYTES_MAX}`));
      return;
    }
    const route_output = message.properties.system.outputName ?? '';
    metrics.count('edgehub_messages_received_total', { id: client.id, route_output });
    const destinations = router.destinations(message);
    if (destinations.length === 0) this.#drop(client, 'no_route', { output: route_output });
    if (packet.qos === 1 && faults.withholds(client.id)) packet.qos = 0;
    inbox.add({ message, destinations }, (error) => {
      done(error);
      if (error === undefined) this.#afterPuback(client);
    });
  }

  /** The acknowledgement is written in the same turn as `done`; fault switches act behind it. */
  #afterPuback(client: Client): void {
    const { faults } = this.#parts;
    if (faults.dropsAfterPuback(client.id)) setImmediate(() => client.close());
    setImmediate(() => faults.at('after-puback'));
  }

  #drop(client: Client, reason: string, fields: Record<string, unknown>): void {
    const { metrics, log } = this.#parts;
    metrics.count('edgehub_messages_dropped_total', { reason, from: client.id });
    const level = reason === 'no_route' ? 'debug' : 'warn';
    log(level, 'Message is dropped', { client: client.id, reason, ...fields });
  }

  #subscriptionsChanged(client: Client, name: ClientName): void {
    const { deliveries, methods, sessions } = this.#parts;
    if (name.module !== undefined) deliveries.subscriptionsChanged(name.module);
    if (sessions.isSubscribed(client.id, '$iothub/methods/POST/#')) methods.available(client.id);
  }

  #isCurrent(client: Client): boolean {
    return this.#parts.sessions.get(client.id)?.client === client;
  }
}

/** Clients got in by `checkConnect`, so their ids are well formed. */
const nameOf = (client: Client): ClientName => parseClientId(client.id)!;

const bytesOf = (payload: string | Buffer): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload;

function messageOf(name: ClientName, segment: string, body: Buffer): HubMessage {
  const properties = decodeProperties(segment);
  const { system } = properties;
  system.connectionDeviceId = name.device;
  if (name.module !== undefined) system.connectionModuleId = name.module;
  system.edgeHubOriginInterface = name.module === undefined ? 'downstream' : 'internal';
  return { source: sourceOf(name, system.outputName), properties, body };
}

function sourceOf(name: ClientName, output: string | undefined): string {
  if (name.module === undefined) return '/messages';
  const module = `/messages/modules/${name.module}`;
  return output === undefined || output === '' ? module : `${module}/outputs/${output}`;
}
