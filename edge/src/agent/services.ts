import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CertificateAuthority } from '../certificates/index.ts';
import type { CloudConfig } from '../cloud/config.ts';
import { startWorkloadApi } from '../workload/index.ts';
import { EdgeError } from './errors.ts';
import { callSocket } from './hub-control.ts';
import { stablePort } from './ports.ts';
import type { StateFolder } from './state-folder.ts';
import type { Supervised, SupervisedOptions } from './supervised.ts';

/** Name of the IoT hub that exists on this machine only; part of tokens, never looked up. */
export const IOT_HUB_HOST_NAME = 'local.azure-devices.net';
const POLICY = 'iothubowner';
/** The stand-in answers within a second; a machine under load may take longer. */
const CLOUD_READY_TIMEOUT_MS = 15_000;

/** What modules and hub find around them on a device and in the cloud. */
export interface Services {
  cloudUrl: string;
  /** For the official service SDK. */
  serviceConnectionString: string;
  workloadUri: string;
  setUpstream(up: boolean): Promise<void>;
  cloudStatus(): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

export interface ServicesOptions {
  state: StateFolder;
  authority: CertificateAuthority;
  /** Module ids. */
  modules: readonly string[];
  leafDevices: readonly string[];
  supervise(
    service: Pick<SupervisedOptions, 'id' | 'restartPolicy' | 'status' | 'spec'>,
  ): Supervised;
}

/** Starts the workload API in this process, and the stand-in of the IoT hub in one of its own. */
export async function startServices(options: ServicesOptions): Promise<Services> {
  const { state, authority, modules } = options;
  const workload = await startWorkloadApi({
    listen: { socketPath: state.socket('workload') },
    trustBundlePem: authority.trustBundlePem,
    identities: new Map(
      modules.map((id) => [id, { key: state.key(id), generationId: state.generationId(id) }]),
    ),
    issueServerCertificate: (_, names) => authority.issue(names),
  });
  try {
    const { process: cloud, config } = await startCloudProcess(options);
    return {
      cloudUrl: `https://localhost:${config.port}`,
      serviceConnectionString: `HostName=localhost;SharedAccessKeyName=${POLICY};SharedAccessKey=${config.policies[POLICY]}`,
      workloadUri: workload.uri,
      setUpstream: (up) => setLink(state, cloud, up),
      cloudStatus: () => ask(state, 'GET', 'status') as Promise<Record<string, unknown>>,
      stop: async () => {
        await cloud.stop();
        await workload.close();
      },
    };
  } catch (error) {
    await workload.close();
    throw error;
  }
}

async function startCloudProcess({
  state,
  authority,
  leafDevices,
  supervise,
}: ServicesOptions): Promise<{ process: Supervised; config: CloudConfig }> {
  const devices = [state.deviceId, ...leafDevices].map((id) => [id, deviceKey(state, id)]);
  const config: CloudConfig = {
    hostName: IOT_HUB_HOST_NAME,
    host: '127.0.0.1',
    port: await stablePort(state, 'cloud'),
    stateDir: state.path('cloud'),
    tls: await authority.server('cloud', ['localhost', '127.0.0.1']),
    devices: Object.fromEntries(devices),
    policies: { [POLICY]: state.key(`policy/${POLICY}`) },
    controlSocket: state.socket('cloud'),
  };
  const file = state.path('cloud.json');
  writeFileSync(file, JSON.stringify(config, null, 2), { mode: 0o600 });
  const cloud = supervise({
    id: 'cloud',
    restartPolicy: 'always',
    status: 'running',
    spec: () => ({
      entry: path.join(import.meta.dirname, '../cloud/main.ts'),
      args: [file],
      cwd: state.root,
      env: {},
    }),
  });
  cloud.start();
  try {
    await answering(state);
  } catch (error) {
    await cloud.stop();
    throw error;
  }
  return { process: cloud, config };
}

/** Of the edge device itself, or of a leaf device. */
export const deviceKey = (state: StateFolder, id: string): string =>
  state.key(id === state.deviceId ? '' : `device/${id}`);

async function setLink(state: StateFolder, cloud: Supervised, up: boolean): Promise<void> {
  if (cloud.state !== 'running')
    throw new EdgeError('EDGE_NO_ANSWER', `the IoT hub stand-in is ${cloud.state}`);
  await ask(state, 'POST', 'link', { up });
}

const ask = (state: StateFolder, method: string, what: string, body?: unknown): Promise<unknown> =>
  callSocket({
    socket: state.socket('cloud'),
    method,
    path: `/control/${what}`,
    body,
    who: 'the IoT hub stand-in',
  });

async function answering(state: StateFolder): Promise<void> {
  const deadline = performance.now() + CLOUD_READY_TIMEOUT_MS;
  for (;;) {
    try {
      await ask(state, 'GET', 'status');
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(25);
    }
  }
}
