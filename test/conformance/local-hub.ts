import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ChildProcess, freePort, TcpGate, temporaryFolder, until } from '@holdfast/testkit';
import type { Committed, ConformanceHub } from '@holdfast/transport/testing/conformance';
import { openAuthority } from '../../edge/src/certificates/index.ts';
import type { HubConfig } from '../../edge/src/hub/config.ts';
import { ProbeClient } from './probe-client.ts';
import { WorkloadStub } from './workload-stub.ts';

/** Short limits, so that a test of an outage takes seconds. */
export const TEST_TIMING = {
  reconnectMinMs: 50,
  reconnectMaxMs: 300,
  openTimeoutMs: 5_000,
  twinTimeoutMs: 2_000,
  // Long, so that a change is seen because it was announced and not because somebody looked.
  probeEveryMs: 600_000,
  sendTimeoutMs: 3_000,
  renewDrainMs: 1_000,
};

const HUB_HOST = 'hub.example.net';
const DEVICE = 'site-1';

/** The local edge's hub as a process, with a workload API and a gate in front of it, and probes as processes. */
export class LocalHub implements ConformanceHub {
  readonly gate: TcpGate;
  workload: WorkloadStub;
  readonly config: HubConfig;
  timing: Record<string, number>;
  readonly trustBundlePem: string;
  readonly #folder: string;
  readonly #reopenWorkload: () => Promise<WorkloadStub>;
  readonly #probes: ProbeClient[] = [];
  #process: ChildProcess | undefined;

  private constructor(parts: {
    folder: string;
    config: HubConfig;
    trustBundlePem: string;
    workload: WorkloadStub;
    reopenWorkload: () => Promise<WorkloadStub>;
    gate: TcpGate;
    timing: Record<string, number>;
  }) {
    this.#folder = parts.folder;
    this.config = parts.config;
    this.trustBundlePem = parts.trustBundlePem;
    this.workload = parts.workload;
    this.gate = parts.gate;
    this.#reopenWorkload = parts.reopenWorkload;
    this.timing = parts.timing;
  }

  static async open(timing: Record<string, number> = {}): Promise<LocalHub> {
    const folder = temporaryFolder('hub');
    const authority = await openAuthority(join(folder, 'ca'), Date.now());
    const key = randomBytes(32).toString('base64');
    const config: HubConfig = {
      deviceId: DEVICE,
      iotHubHostName: HUB_HOST,
      host: '127.0.0.1',
      port: await freePort(),
      stateDir: join(folder, 'state'),
      tls: await authority.server('hub', ['localhost', '127.0.0.1']),
      identities: { probe: key },
      routes: {
        self: routeOf('out', 'probe'),
        parked: routeOf('parked', 'absent'),
      },
      timeToLiveSecs: -1,
      desired: {},
      controlSocket: join(folder, 'control.sock'),
      cloudUrl: 'http://127.0.0.1:9',
    };
    const workloadOptions = {
      socket: join(folder, 'workload.sock'),
      trustBundlePem: authority.trustBundlePem,
      key,
      certificate: async () => {
        const pair = await authority.issue(['probe', 'localhost']);
        return { key: pair.privateKeyPem, cert: pair.certificatePem, expiresMs: pair.notAfterMs };
      },
    };
    const gate = await TcpGate.open({ port: config.port });
    const hub = new LocalHub({
      folder,
      config,
      trustBundlePem: authority.trustBundlePem,
      workload: await WorkloadStub.start(workloadOptions),
      reopenWorkload: () => WorkloadStub.start(workloadOptions),
      gate,
      timing: { ...TEST_TIMING, ...timing },
    });
    await hub.start();
    return hub;
  }

  /** What edgeAgent would set for module `probe`. */
  environment(): Record<string, string> {
    return {
      IOTEDGE_WORKLOADURI: this.workload.uri,
      IOTEDGE_DEVICEID: DEVICE,
      IOTEDGE_MODULEID: 'probe',
      IOTEDGE_IOTHUBHOSTNAME: HUB_HOST,
      IOTEDGE_AUTHSCHEME: 'sasToken',
      IOTEDGE_MODULEGENERATIONID: 'generation-1',
      IOTEDGE_GATEWAYHOSTNAME: `localhost:${this.gate.port}`,
    };
  }

  /** What the older development tool iotedgehubdev sets instead: a key of its own and no workload API. */
  connectionStringEnvironment(): Record<string, string> {
    const caFile = join(this.#folder, 'trusted.pem');
    writeFileSync(caFile, this.trustBundlePem);
    const parts = [
      `HostName=${HUB_HOST}`,
      `GatewayHostName=localhost:${this.gate.port}`,
      `DeviceId=${DEVICE}`,
      'ModuleId=probe',
      `SharedAccessKey=${this.config.identities.probe}`,
    ];
    return { EdgeHubConnectionString: parts.join(';'), EdgeModuleCACertificateFile: caFile };
  }

  async start(): Promise<void> {
    const file = join(this.#folder, 'hub.json');
    writeFileSync(file, JSON.stringify(this.config));
    this.#process = ChildProcess.start(
      join(__dirname, '..', '..', 'edge', 'src', 'hub', 'main.ts'),
      { args: [file], env: { RuntimeLogLevel: 'debug' } },
    );
    await until(
      async () => {
        if (this.#process?.exit !== undefined) throw new Error(this.#process.output);
        return this.control('GET', '/status');
      },
      { timeoutMs: 20_000, every: 30, what: () => `the hub:\n${this.#process?.output}` },
    );
  }

  async stop(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
  }

  async reopenWorkload(): Promise<void> {
    this.workload = await this.#reopenWorkload();
  }

  /** The hub forgets everything: messages, twins, sessions. */
  wipe(): void {
    rmSync(this.config.stateDir, { recursive: true, force: true });
  }

  async probe(environment = this.environment()): Promise<ProbeClient> {
    const probe = new ProbeClient({
      ...environment,
      PROBE_COMMITTED: join(this.#folder, 'committed'),
      PROBE_TIMING: JSON.stringify(this.timing),
    });
    this.#probes.push(probe);
    await probe.ready();
    return probe;
  }

  async committed(): Promise<Committed[]> {
    const file = join(this.#folder, 'committed');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    // The last one is empty, or half written just now.
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Committed);
  }

  async desire(patch: Record<string, unknown>): Promise<void> {
    await this.control('PATCH', '/twins/probe', patch);
  }

  async reported(): Promise<Record<string, unknown>> {
    const twin = (await this.control('GET', '/twins/probe')) as {
      reported: Record<string, unknown>;
    };
    const { $version: _, $metadata: __, ...reported } = twin.reported;
    return reported;
  }

  async invoke(method: string, payload: unknown): Promise<{ status: number; payload: unknown }> {
    const { status, payload: answer } = (await this.control('POST', `/methods/probe/${method}`, {
      payload,
    })) as { status: number; payload: unknown };
    return { status, payload: answer };
  }

  async disconnect(): Promise<void> {
    this.gate.cut();
  }

  async queued(module: string): Promise<number> {
    const { queues } = (await this.control('GET', '/status')) as {
      queues: { endpoint: string; length: number }[];
    };
    return queues
      .filter(({ endpoint }) => new RegExp(`(^|/)${module}/`).test(endpoint))
      .reduce((sum, { length }) => sum + length, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#probes.map((probe) => probe.kill()));
    await this.stop();
    await this.gate.close();
    await this.workload.close();
  }

  get log(): string {
    return `${this.#process?.output}\n${this.#probes.map(({ output }) => output).join('\n--\n')}`;
  }

  /** Asks the hub itself, over its control socket. */
  control(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        { socketPath: this.config.controlSocket, method, path, timeout: 15_000 },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          response.on('end', () => {
            if ((response.statusCode ?? 500) >= 300) reject(new Error(text));
            else resolve(text === '' ? undefined : JSON.parse(text));
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

const routeOf = (output: string, module: string) => ({
  route: `FROM /messages/modules/probe/outputs/${output} INTO BrokeredEndpoint("/modules/${module}/inputs/in")`,
  priority: 5,
  timeToLiveSecs: 0,
});
