import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Broker, startBroker } from './broker.ts';
import { SubscriptionStore } from './broker-store.ts';
import { type CloudLink, startCloudLink } from './cloud-link.ts';
import type { HubConfig } from './config.ts';
import { type Control, startControl } from './control.ts';
import { type HubDatabase, openDatabase } from './database.ts';
import { Deliveries } from './deliveries.ts';
import { FaultSwitches } from './faults.ts';
import { Inbox } from './inbox.ts';
import { Ingress } from './ingress.ts';
import type { HubLog } from './log.ts';
import { UPSTREAM } from './message.ts';
import { MessageStore } from './message-store.ts';
import { DirectMethods } from './methods.ts';
import { HubMetrics } from './metrics.ts';
import { QueueTable } from './queue-table.ts';
import { type CompileRoute, Router } from './router.ts';
import { FILTERS, Sessions } from './sessions.ts';
import { TwinService } from './twin-service.ts';
import { TwinStore } from './twin-store.ts';
import { Upkeep } from './upkeep.ts';
import { UpstreamSender } from './upstream.ts';

export interface HubOptions {
  config: HubConfig;
  compileRoute: CompileRoute;
  log: HubLog;
  wallMs(): number;
  /** Ends the process as a power cut would; for fault switches. */
  kill(): void;
}

/** Everything that belongs to one running hub. */
export interface HubParts {
  config: HubConfig;
  readonly log: HubLog;
  readonly db: HubDatabase;
  readonly faults: FaultSwitches;
  readonly metrics: HubMetrics;
  readonly sessions: Sessions;
  readonly store: MessageStore;
  readonly inbox: Inbox;
  readonly queues: QueueTable;
  readonly deliveries: Deliveries;
  readonly twinStore: TwinStore;
  readonly twins: TwinService;
  readonly methods: DirectMethods;
  readonly upstream: UpstreamSender;
  readonly link: CloudLink;
  router: Router;
  nowMs(): number;
}

export interface RunningHub {
  readonly port: number;
  /** Takes over routes, times to live, identities and desired properties. @throws HubError HUB_CONFIG */
  reload(config: HubConfig): void;
  close(): Promise<void>;
}

/** Starts a hub. Resolves when it takes connections. @throws HubError HUB_CONFIG */
export async function startHub(options: HubOptions): Promise<RunningHub> {
  const router = new Router(options.config, options.compileRoute);
  const parts = assemble(options, router);
  const ingress = new Ingress(parts);
  const broker = await startBroker(options.config, new SubscriptionStore(parts.db), ingress);
  parts.queues.load();
  await parts.queues.retain(router.endpoints);
  deploy(parts, options.config);
  ingress.ready = true;
  const control = await startControl(options.config.controlSocket, parts);
  const upkeep = new Upkeep(parts);
  upkeep.start();
  parts.link.start();
  options.log('info', 'Hub is up', { port: broker.port, queues: parts.queues.status().length });
  return {
    port: broker.port,
    reload: (config) => {
      parts.router = new Router(config, options.compileRoute);
      parts.config = config;
      void parts.queues.retain(parts.router.endpoints);
      deploy(parts, config);
      parts.link.wake();
      options.log('info', 'Configuration is taken over', { routes: Object.keys(config.routes) });
    },
    close: () => shutDown(parts, { broker, control, upkeep }),
  };
}

/** Desired properties of the deployment, for twins that do not have them yet. */
function deploy(parts: HubParts, config: HubConfig): void {
  for (const [module, desired] of Object.entries(config.desired)) {
    const change = parts.twinStore.deploy(`${config.deviceId}/${module}`, desired);
    if (change !== undefined) parts.twins.push(change);
  }
}

async function shutDown(
  parts: HubParts,
  running: { broker: Broker; control: Control; upkeep: Upkeep },
): Promise<void> {
  running.upkeep.stop();
  parts.methods.close();
  await parts.link.close();
  await running.broker.close();
  await running.control.close();
  parts.inbox.flush();
  parts.db.close();
  parts.log('info', 'Hub is down');
}

function assemble(options: HubOptions, router: Router): HubParts {
  const { config, log } = options;
  mkdirSync(config.stateDir, { recursive: true });
  const db = openDatabase(join(config.stateDir, 'hub.db'));
  const faults = new FaultSwitches(options.kill);
  const nowMs = (): number => options.wallMs() + faults.clockSkewMs;
  const metrics = new HubMetrics(config);
  const sessions = new Sessions();
  const store = new MessageStore(db);
  const twinStore = new TwinStore(db);
  const ports = new PartPorts(() => parts);
  const inbox = new Inbox(store, {
    nowMs,
    onStored: (entries) => parts.queues.stored(entries),
    onFailed: (error, arrivals) => {
      metrics.count('edgehub_messages_unack_total', { reason: 'store' }, arrivals);
      log('error', 'Messages could not be stored', { arrivals, detail: error.message });
    },
    point: (point) => faults.at(point),
  });
  const parts: HubParts = {
    config,
    log,
    db,
    faults,
    metrics,
    sessions,
    store,
    inbox,
    twinStore,
    router,
    nowMs,
    queues: new QueueTable(store, inbox, {
      nowMs,
      onDropped: (queue, reason, count) => ports.dropped(queue.endpoint, reason, count),
      onQueue: (queue) => {
        if (queue.endpoint !== UPSTREAM) parts.deliveries.addQueue(queue);
      },
      onQueueRemoved: (queue) => {
        if (queue.endpoint !== UPSTREAM) parts.deliveries.removeQueue(queue);
      },
      wake: (endpoint) => ports.wake(endpoint),
    }),
    deliveries: new Deliveries(() => parts),
    twins: new TwinService(twinStore, {
      reply: (client, topic, body) => ports.publish(client, topic, body),
      pushDesired: (client, topic, body) => {
        if (sessions.isSubscribed(client, FILTERS.desired)) ports.publish(client, topic, body);
      },
      onReported: (client, patch) => ports.reported(client, patch),
    }),
    methods: new DirectMethods({
      newId: randomUUID,
      isListening: (client) => sessions.isSubscribed(client, FILTERS.methods),
      publish: (client, topic, body) => ports.publish(client, topic, body),
    }),
    upstream: new UpstreamSender(() => parts),
    link: startCloudLink(() => parts),
  };
  return parts;
}

/** What the parts need of each other, told apart from their construction. */
class PartPorts {
  readonly #parts: () => HubParts;

  constructor(parts: () => HubParts) {
    this.#parts = parts;
  }

  publish(client: string, topic: string, body: string): void {
    const payload = Buffer.from(body, 'utf8');
    this.#parts()
      .sessions.get(client)
      ?.client.publish(
        { cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false },
        () => undefined,
      );
  }

  dropped(endpoint: string, reason: string, count: number): void {
    const { metrics, log } = this.#parts();
    metrics.count('edgehub_messages_dropped_total', { reason, to: endpoint }, count);
    log('warn', 'Messages are dropped', { endpoint, reason, count });
  }

  wake(endpoint: string): void {
    const { upstream, deliveries } = this.#parts();
    if (endpoint === UPSTREAM) upstream.wake();
    else deliveries.wake(endpoint);
  }

  reported(client: string, patch: Record<string, unknown>): void {
    const { metrics, link, config, nowMs, router, inbox } = this.#parts();
    metrics.count('edgehub_reported_properties_total', { id: client });
    link.wake();
    const message = {
      source: '/twinChangeNotifications',
      properties: {
        system: {
          connectionDeviceId: config.deviceId,
          connectionModuleId: '$edgeHub',
          messageSchema: 'twinChangeNotification',
          messageType: 'twinChangeNotification',
          contentType: 'application/json',
          contentEncoding: 'utf-8',
          enqueuedTime: new Date(nowMs()).toISOString(),
        },
        application: sourceOf(client),
      },
      body: Buffer.from(JSON.stringify(patch), 'utf8'),
    };
    const destinations = router.destinations(message);
    if (destinations.length > 0) inbox.add({ message, destinations }, () => undefined);
  }
}

/** Whose twin it is: the sender ids of the message are the hub's own. */
function sourceOf(client: string): Record<string, string> {
  const [deviceId = '', moduleId] = client.split('/');
  return moduleId === undefined ? { deviceId } : { deviceId, moduleId };
}
