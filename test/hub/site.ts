import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ChildProcess, freePort, temporaryFolder, until } from '@holdfast/testkit';
import { Client, type Message, ModuleClient } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { type CertificateAuthority, openAuthority } from '../../edge/src/certificates/index.ts';
import type { HubConfig } from '../../edge/src/hub/config.ts';

export const DEVICE = 'edge-1';
export const IOT_HUB = 'hub.example.net';

type Routes = Record<string, string | Partial<HubConfig['routes'][string]>>;

export interface SiteOptions {
  routes?: Routes;
  modules?: readonly string[];
  leafDevices?: readonly string[];
  config?: Partial<HubConfig>;
  /** The cloud has a certificate of the site's own authority. */
  cloudCa?: boolean;
}

/** A hub process with certificates and identities of its own, and official SDK clients for it. */
export class Site {
  readonly folder: string;
  readonly config: HubConfig;
  readonly authority: CertificateAuthority;
  hub!: ChildProcess;
  readonly #clients: (ModuleClient | Client)[] = [];

  private constructor(folder: string, config: HubConfig, authority: CertificateAuthority) {
    this.folder = folder;
    this.config = config;
    this.authority = authority;
  }

  static async start(options: SiteOptions = {}): Promise<Site> {
    const folder = temporaryFolder('hub');
    const authority = await openAuthority(join(folder, 'certs'), Date.now());
    const names = [...(options.modules ?? ['source', 'sink']), ...(options.leafDevices ?? [])];
    const config: HubConfig = {
      deviceId: DEVICE,
      iotHubHostName: IOT_HUB,
      host: '127.0.0.1',
      port: await freePort(),
      stateDir: join(folder, 'state'),
      tls: await authority.server('hub', ['localhost', '127.0.0.1', DEVICE]),
      identities: Object.fromEntries(names.map((name) => [name, newKey()])),
      routes: routesOf(options.routes ?? {}),
      timeToLiveSecs: 7_200,
      desired: {},
      controlSocket: join(folder, 'hub.sock'),
      cloudUrl: '',
      ...(options.cloudCa === true ? { cloudCaFile: authority.caFile } : {}),
      ...options.config,
    };
    const site = new Site(folder, config, authority);
    await site.startHub();
    return site;
  }

  get configPath(): string {
    return join(this.folder, 'hub.json');
  }

  async startHub(): Promise<void> {
    writeFileSync(this.configPath, JSON.stringify(this.config));
    this.hub = ChildProcess.start(join(process.cwd(), 'edge/src/hub/main.ts'), {
      args: [this.configPath],
      env: { RuntimeLogLevel: 'debug' },
    });
    await this.hub.line('Hub is up');
  }

  async killHub(): Promise<void> {
    await this.hub.kill();
  }

  /** Writes the configuration again and tells the hub. */
  async reload(change: Partial<HubConfig>): Promise<void> {
    Object.assign(this.config, change);
    writeFileSync(this.configPath, JSON.stringify(this.config));
    const seen = this.hub.lines.length;
    this.hub.signal('SIGHUP');
    await until(() => this.hub.lines.slice(seen).some((line) => /Configuration is/.test(line)));
  }

  connectionString(name: { module?: string; device?: string }, key?: string): string {
    const device = name.device ?? DEVICE;
    const identity = name.module ?? device;
    const parts = [
      `HostName=${IOT_HUB}`,
      `DeviceId=${device}`,
      ...(name.module === undefined ? [] : [`ModuleId=${name.module}`]),
      `SharedAccessKey=${key ?? this.config.identities[identity]}`,
      `GatewayHostName=localhost:${this.config.port}`,
    ];
    return parts.join(';');
  }

  /** A module client that is not open yet. */
  async client(module: string, key?: string): Promise<ModuleClient> {
    const client = ModuleClient.fromConnectionString(this.connectionString({ module }, key), Mqtt);
    await client.setOptions({ ca: this.authority.trustBundlePem });
    client.on('error', () => undefined);
    this.#clients.push(client);
    return client;
  }

  async open(module: string): Promise<ModuleClient> {
    const client = await this.client(module);
    await client.open();
    return client;
  }

  async leaf(device: string): Promise<Client> {
    const client = Client.fromConnectionString(this.connectionString({ device }), Mqtt);
    await client.setOptions({ ca: this.authority.trustBundlePem });
    client.on('error', () => undefined);
    this.#clients.push(client);
    await client.open();
    return client;
  }

  /** Opens a module and collects what comes to its inputs. */
  async receiver(module: string): Promise<{ client: ModuleClient; received: Received[] }> {
    const client = await this.client(module);
    const received: Received[] = [];
    client.on('inputMessage', (input: string, message: Message) => {
      received.push({ input, body: message.getData().toString('utf8'), message });
    });
    await client.open();
    return { client, received };
  }

  control<T = unknown>(method: string, path: string, body?: object): Promise<T> {
    return control<T>(this.config.controlSocket, method, path, body);
  }

  status(): Promise<HubStatus> {
    return this.control<HubStatus>('GET', '/status');
  }

  async queueLength(endpoint: string): Promise<number> {
    const { queues } = await this.status();
    return queues.filter((q) => q.endpoint === endpoint).reduce((sum, q) => sum + q.length, 0);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => closed(client)));
    if (this.hub.exit === undefined) await this.hub.kill();
  }
}

export interface Received {
  input: string;
  body: string;
  message: Message;
}

export interface HubStatus {
  queues: { endpoint: string; priority: number; length: number; oldestAgeMs?: number }[];
  clients: { id: string }[];
  received: number;
  delivered: number;
  dropped: Record<string, number>;
  upstream: 'up' | 'down';
  rssBytes: number;
}

/** One request on a Unix socket; rejects with the hub's own words for any status but 200. */
export function control<T>(
  socketPath: string,
  method: string,
  path: string,
  body?: object,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const isJson = response.headers['content-type']?.startsWith('application/json');
        const result: unknown = isJson ? JSON.parse(text) : text;
        if (response.statusCode === 200) resolve(result as T);
        else reject(Object.assign(new Error(text), { status: response.statusCode }));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

export const newKey = (): string => randomBytes(32).toString('base64');

function routesOf(routes: Routes): HubConfig['routes'] {
  return Object.fromEntries(
    Object.entries(routes).map(([name, route]) => {
      const given = typeof route === 'string' ? { route } : route;
      return [name, { route: '', priority: 9, timeToLiveSecs: 0, ...given }];
    }),
  );
}

/** A client that is trying to reconnect never closes, so nobody waits for it for long. */
function closed(client: ModuleClient | Client): Promise<void> {
  client.removeAllListeners();
  client.on('error', () => undefined);
  const timeout = new Promise<void>((resolve) => {
    setTimeout(resolve, 500).unref();
  });
  return Promise.race([
    client.close().then(
      () => undefined,
      () => undefined,
    ),
    timeout,
  ]);
}
