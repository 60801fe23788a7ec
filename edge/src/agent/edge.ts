import type { DeployedModule, Deployment } from '../deployment/deployment.ts';
import { AgentLink } from './agent-link.ts';
import { type AgentPorts, agentMethod } from './agent-methods.ts';
import { startControlServer } from './control-server.ts';
import type {
  ConnectionStrings,
  EdgeEvent,
  EdgeHandle,
  MethodResult,
  ModuleStatus,
  Twin,
} from './edge-handle.ts';
import { EdgeError } from './errors.ts';
import type { HubControl } from './hub-control.ts';
import type { LogFile } from './log-file.ts';
import { filterLines, type LogFilter, type LogLine } from './log-lines.ts';
import { type ModulePlan, urlOf } from './module-plan.ts';
import { deviceKey, IOT_HUB_HOST_NAME, type Services } from './services.ts';
import type { StateFolder } from './state-folder.ts';
import type { Supervised } from './supervised.ts';

/** Modules in the order of their start attempts; equal ones as the manifest lists them. */
export const inStartupOrder = (modules: readonly DeployedModule[]): DeployedModule[] =>
  [...modules].sort((a, b) => a.startupOrder - b.startupOrder);

export interface EdgeParts {
  state: StateFolder;
  deployment: Deployment;
  gateway: string;
  services: Services;
  hub: Supervised;
  hubControl: HubControl;
  /** In the order of their start. */
  modules: { plan: ModulePlan; supervised: Supervised }[];
  logs: ReadonlyMap<string, LogFile>;
  leafDevices: readonly string[];
  caFile: string;
  listeners: Set<(event: EdgeEvent) => void>;
}

/** The supervisor while it runs: edgeAgent and identity daemon of one machine. */
export class LocalEdge implements EdgeHandle {
  readonly #parts: EdgeParts;
  #link: AgentLink | undefined;
  #control: { close(): Promise<void> } | undefined;
  #stopped: Promise<void> | undefined;

  constructor(parts: EdgeParts) {
    this.#parts = parts;
  }

  get deviceId(): string {
    return this.#parts.state.deviceId;
  }

  get stateDir(): string {
    return this.#parts.state.root;
  }

  get gateway(): string {
    return this.#parts.gateway;
  }

  get cloudUrl(): string {
    return this.#parts.services.cloudUrl;
  }

  get caFile(): string {
    return this.#parts.caFile;
  }

  get connectionStrings(): ConnectionStrings {
    const { services, leafDevices, state, gateway } = this.#parts;
    const device = (id: string): string =>
      `HostName=${IOT_HUB_HOST_NAME};DeviceId=${id};SharedAccessKey=${deviceKey(state, id)};GatewayHostName=${gateway}`;
    return {
      service: services.serviceConnectionString,
      devices: Object.fromEntries(leafDevices.map((id) => [id, device(id)])),
    };
  }

  modules(): ModuleStatus[] {
    const { hub, modules, gateway } = this.#parts;
    const port = Number(gateway.split(':')[1]);
    return [
      statusOf(hub, { MQTT: port }, `mqtts://${gateway}`),
      ...modules.map(({ plan, supervised }) =>
        statusOf(supervised, plan.view.ports, urlOf(plan.view)),
      ),
    ];
  }

  kill(id: string, signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#find(id).kill(signal);
  }

  async restart(id: string): Promise<void> {
    await this.#find(id).restart();
  }

  async invokeMethod(module: string, name: string, payload?: unknown): Promise<MethodResult> {
    if (module === 'edgeAgent' || module === '$edgeAgent')
      return agentMethod(this.#agentPorts(), name, payload);
    this.#find(module);
    return this.#parts.hubControl.invokeMethod(module, name, payload ?? null);
  }

  async patchTwin(module: string, desired: Record<string, unknown>): Promise<void> {
    this.#find(module);
    await this.#parts.hubControl.patchTwin(module, desired);
  }

  async reported(module: string): Promise<Record<string, unknown>> {
    return (await this.twin(module)).reported;
  }

  twin(module: string): Promise<Twin> {
    this.#find(module);
    return this.#parts.hubControl.twin(module);
  }

  async setUpstream(up: boolean): Promise<void> {
    await this.#parts.services.setUpstream(up);
  }

  hubStatus(): Promise<Record<string, unknown>> {
    return this.#parts.hubControl.status();
  }

  cloudStatus(): Promise<Record<string, unknown>> {
    return this.#parts.services.cloudStatus();
  }

  async setFaults(faults: Record<string, unknown>): Promise<void> {
    await this.#parts.hubControl.setFaults(faults);
  }

  logs(id: string, filter: LogFilter = {}): LogLine[] {
    const file = this.#parts.logs.get(id);
    if (file === undefined) throw this.#unknown(id);
    return filterLines(file.lines(), filter, Date.now());
  }

  onEvent(listener: (event: EdgeEvent) => void): () => void {
    this.#parts.listeners.add(listener);
    return () => this.#parts.listeners.delete(listener);
  }

  /** Connects edgeAgent to the hub: its methods can be called from the cloud, and it reports the modules' states. */
  openAgentLink(iotHubHostName: string): void {
    const { state, gateway, caFile, listeners } = this.#parts;
    const link = new AgentLink({
      deviceId: state.deviceId,
      iotHubHostName,
      gateway,
      key: state.key('$edgeAgent'),
      caFile,
      nowMs: Date.now,
      call: (name, payload) => agentMethod(this.#agentPorts(), name, payload),
      modules: () => this.modules(),
    });
    this.#link = link;
    listeners.add((event) => {
      if (event.kind === 'started' || event.kind === 'ended') link.report();
    });
  }

  /** Lets the command line in. */
  async openControl(): Promise<void> {
    this.#control = await startControlServer(this.#parts.state.socket('control'), this);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** The hub outlives the modules, so that what they send while they finish is stored. */
  async #stop(): Promise<void> {
    const { modules, hub, services, state } = this.#parts;
    await this.#control?.close();
    await this.#link?.close();
    await Promise.all(modules.map(({ supervised }) => supervised.stop()));
    await hub.stop();
    await services.stop();
    state.close();
  }

  #agentPorts(): AgentPorts {
    return {
      ids: () => [...this.#parts.logs.keys()],
      restart: (id) => this.restart(id),
      logs: (id, filter) => this.logs(id, filter),
    };
  }

  #find(id: string): Supervised {
    const { hub, modules } = this.#parts;
    if (id === 'edgeHub' || id === '$edgeHub') return hub;
    const found = modules.find(({ supervised }) => supervised.id === id)?.supervised;
    if (found === undefined) throw this.#unknown(id);
    return found;
  }

  #unknown(id: string): EdgeError {
    const known = this.#parts.modules.map(({ supervised }) => supervised.id).join(', ');
    return new EdgeError('EDGE_MODULE_UNKNOWN', `there is no module ${id}, only edgeHub, ${known}`);
  }
}

function statusOf(
  { id, state, pid, restarts, exitCode, linesLost }: Supervised,
  ports: Record<string, number>,
  url: string | undefined,
): ModuleStatus {
  return {
    id,
    state,
    restarts,
    linesLost,
    ports,
    ...(pid === undefined ? {} : { pid }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(url === undefined ? {} : { url }),
  };
}
