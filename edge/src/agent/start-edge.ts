import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CertificateAuthority, openAuthority } from '../certificates/index.ts';
import type { DeployedModule, Deployment } from '../deployment/deployment.ts';
import { readDeployment } from '../deployment/project.ts';
import { HUB_ENVIRONMENT, HUB_NODE_ARGUMENTS } from '../hub/process-options.ts';
import { inStartupOrder, LocalEdge } from './edge.ts';
import type { EdgeEvent, EdgeHandle, EdgeOptions } from './edge-handle.ts';
import { hubConfigOf, writeHubConfig } from './hub-config.ts';
import { HubControl } from './hub-control.ts';
import { ProcessList } from './leftovers.ts';
import { LogFile } from './log-file.ts';
import { moduleEnvironment } from './module-environment.ts';
import { checkRunnable, containerOptionsOf, type ModulePlan, planModule } from './module-plan.ts';
import { stablePort } from './ports.ts';
import { edgeAgentLimits, type RestartLimits, scaleLimits } from './restart-policy.ts';
import { deviceKey, IOT_HUB_HOST_NAME, type Services, startServices } from './services.ts';
import { StateFolder } from './state-folder.ts';
import { Supervised, type SupervisedOptions } from './supervised.ts';

/** Modules are started anyway when the hub takes longer: they must be able to wait for it. */
const HUB_READY_TIMEOUT_MS = 10_000;

/**
 * Runs a deployment on this machine until `stop`: checks everything first, then starts the stand-in of the IoT hub,
 * the hub, and the modules in their order. Resolves when all start attempts are made.
 * @throws DeploymentError, EdgeError
 */
export async function startEdge(options: EdgeOptions): Promise<EdgeHandle> {
  const { deployment, projectDir, variables } = readDeployment(options);
  const leafDevices = options.leafDevices ?? [];
  checkRunnable(deployment, leafDevices);
  const state = StateFolder.open(options.stateDir);
  const undo: (() => Promise<void> | void)[] = [() => state.close()];
  try {
    const processes = new ProcessList(state);
    await processes.reap();
    const plans: ModulePlan[] = [];
    for (const module of inStartupOrder(deployment.modules)) {
      plans.push(
        await planModule(module, {
          state,
          projectDir,
          moduleFolders: [path.join(projectDir, 'modules'), ...(options.moduleFolders ?? [])],
          moduleCommand: options.moduleCommand ?? {},
          variables,
        }),
      );
    }
    const frame = new Frame(state, deployment, processes, options);
    const authority = await openAuthority(state.path('certificates'), Date.now());
    const services = await startServices({
      state,
      authority,
      modules: deployment.modules.map(({ id }) => id),
      leafDevices,
      supervise: (service) => frame.supervise(service),
    });
    undo.push(() => services.stop());
    const { hub, hubControl, gateway } = await startHub(frame, authority, services, leafDevices);
    undo.push(() => hub.stop());
    const modules = plans.map((plan) => ({
      plan,
      supervised: frame.supervise(moduleOptions(plan, { state, services, gateway, deployment })),
    }));
    const { logs, listeners } = frame;
    const edge = new LocalEdge({
      ...{ state, deployment, logs, listeners, gateway, services, hub, hubControl, modules },
      leafDevices,
      caFile: authority.caFile,
    });
    await edge.openControl();
    edge.openAgentLink(IOT_HUB_HOST_NAME);
    for (const { supervised } of modules) supervised.start();
    return edge;
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

type Wanted = Pick<SupervisedOptions, 'id' | 'restartPolicy' | 'status' | 'spec'> & {
  module?: DeployedModule;
};

/** What all supervised processes of one edge share. */
class Frame {
  readonly state: StateFolder;
  readonly deployment: Deployment;
  readonly logs = new Map<string, LogFile>();
  readonly listeners = new Set<(event: EdgeEvent) => void>();
  readonly #limits: RestartLimits;
  readonly #processes: ProcessList;
  readonly #processEnvironment: NonNullable<EdgeOptions['processEnvironment']>;

  constructor(
    state: StateFolder,
    deployment: Deployment,
    processes: ProcessList,
    { onEvent, backoffScale = 1, processEnvironment = {} }: EdgeOptions,
  ) {
    this.state = state;
    this.deployment = deployment;
    this.#processes = processes;
    this.#processEnvironment = processEnvironment;
    this.#limits = scaleLimits(limitsOf(deployment.edgeAgent.env), backoffScale);
    if (onEvent !== undefined) this.listeners.add(onEvent);
  }

  supervise({ module, spec, ...options }: Wanted): Supervised {
    const config =
      module === undefined ? {} : containerOptionsOf(module).HostConfig.LogConfig.Config;
    const log = new LogFile(path.join(this.state.logs, `${options.id}.log`), config);
    this.logs.set(options.id, log);
    return new Supervised({
      ...options,
      spec: () => {
        const own = spec();
        return { ...own, env: { ...own.env, ...this.#processEnvironment[options.id] } };
      },
      log,
      limits: this.#limits,
      monotonicMs: () => performance.now(),
      onEvent: (event) => this.#onEvent(event),
    });
  }

  #onEvent(event: EdgeEvent): void {
    if (event.kind === 'started') this.#processes.add(event.id, event.pid);
    if (event.kind === 'ended') this.#processes.remove(event.id);
    for (const listener of this.listeners) listener(event);
  }
}

/** edgeAgent's own variables for its limits. */
function limitsOf(env: Readonly<Record<string, string>>): RestartLimits {
  const restartsMax = Number(env.MaxRestartCount ?? Number.NaN);
  const minutes = Number(env.IntensiveCareTimeInMinutes ?? Number.NaN);
  return {
    ...edgeAgentLimits,
    ...(Number.isInteger(restartsMax) ? { restartsMax } : {}),
    ...(Number.isFinite(minutes) ? { steadyMs: minutes * 60_000 } : {}),
  };
}

async function startHub(
  frame: Frame,
  authority: CertificateAuthority,
  services: Services,
  leafDevices: readonly string[],
): Promise<{ hub: Supervised; hubControl: HubControl; gateway: string }> {
  const { state, deployment } = frame;
  const ids = ['$edgeAgent', '$edgeHub', ...deployment.modules.map(({ id }) => id)];
  const port = await stablePort(state, 'edgeHub');
  const file = state.path('hub.json');
  writeHubConfig(file, {
    ...hubConfigOf(deployment),
    deviceId: state.deviceId,
    iotHubHostName: IOT_HUB_HOST_NAME,
    host: '127.0.0.1',
    port,
    stateDir: state.path('hub'),
    tls: await authority.server('edgeHub', ['localhost', '127.0.0.1']),
    identities: Object.fromEntries([
      ...ids.map((id) => [id, state.key(id)]),
      ...leafDevices.map((id) => [id, deviceKey(state, id)]),
    ]),
    controlSocket: state.socket('hub'),
    cloudUrl: services.cloudUrl,
    cloudCaFile: authority.caFile,
    cloudKey: deviceKey(state, state.deviceId),
  });
  const hub = frame.supervise({
    id: 'edgeHub',
    module: deployment.edgeHub,
    restartPolicy: deployment.edgeHub.restartPolicy,
    status: deployment.edgeHub.status,
    spec: () => ({
      entry: path.join(import.meta.dirname, '../hub/main.ts'),
      args: [file],
      nodeArguments: HUB_NODE_ARGUMENTS,
      cwd: state.root,
      env: { ...HUB_ENVIRONMENT, ...runtimeLevel(deployment.edgeHub.env) },
    }),
  });
  const hubControl = new HubControl(state.socket('hub'));
  hub.start();
  await answering(hubControl);
  return { hub, hubControl, gateway: `localhost:${port}` };
}

const runtimeLevel = (env: Readonly<Record<string, string>>): Record<string, string> =>
  env.RuntimeLogLevel === undefined ? {} : { RuntimeLogLevel: env.RuntimeLogLevel };

async function answering(hub: HubControl): Promise<void> {
  const deadline = performance.now() + HUB_READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    try {
      await hub.status();
      return;
    } catch {
      await sleep(25);
    }
  }
}

function moduleOptions(
  plan: ModulePlan,
  parts: { state: StateFolder; services: Services; gateway: string; deployment: Deployment },
): Wanted {
  const { module, entry, args, folder, view } = plan;
  return {
    id: module.id,
    module,
    restartPolicy: module.restartPolicy,
    status: module.status,
    spec: () => ({
      entry,
      args,
      nodeArguments: view.nodeArguments,
      cwd: folder,
      env: moduleEnvironment(view, {
        deviceId: parts.state.deviceId,
        moduleId: module.id,
        generationId: parts.state.generationId(module.id),
        gateway: parts.gateway,
        iotHubHostName: IOT_HUB_HOST_NAME,
        workloadUri: parts.services.workloadUri,
        upstreamProtocol: parts.deployment.edgeHub.env.UpstreamProtocol,
      }),
    }),
  };
}
