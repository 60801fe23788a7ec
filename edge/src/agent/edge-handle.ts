import type { LogFilter, LogLine } from './log-lines.ts';

export interface EdgeOptions {
  /** Template or manifest; exactly one. */
  template?: string;
  manifest?: string;
  /** @default amd64 */
  platform?: string;
  /** Variables for the template; they win over `.env`. The environment of this process is not looked at. */
  environment?: Readonly<Record<string, string>>;
  /** @default `.env` in the project, when there is one */
  environmentFile?: string;
  /** Keys, certificates, queues, volumes, logs. A second start on the same folder goes on where the first ended. */
  stateDir: string;
  /** Where `modules/` is. @default the folder of the template or manifest */
  projectDir?: string;
  /** More folders to look for modules in, each a module or a folder of modules. */
  moduleFolders?: readonly string[];
  /** Starts another program instead of the module's own, by module id. */
  moduleCommand?: Readonly<Record<string, ModuleCommand>>;
  /** Ids of leaf devices that may connect to the hub; their connection strings are in the handle. */
  leafDevices?: readonly string[];
  /** Factor on edgeAgent's waiting times before a restart. @default 1 */
  backoffScale?: number;
  /**
   * Added to the environment of a process, by module id or `edgeHub`, read at each of its starts: for debuggers and
   * fault injection. Wins over everything else.
   */
  processEnvironment?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  onEvent?: (event: EdgeEvent) => void;
}

export interface ModuleCommand {
  /** Script that node runs. */
  entry: string;
  args?: readonly string[];
}

/**
 * - waiting: not started yet, or its start is under way
 * - running: its process lives
 * - backoff: it ended and will be started again
 * - stopped: it ended well, or was told not to run
 * - failed: it ended and will not be started again by itself
 */
export type ModuleState = 'waiting' | 'running' | 'backoff' | 'stopped' | 'failed';

export interface ModuleStatus {
  id: string;
  state: ModuleState;
  pid?: number;
  /** Since the supervisor started. */
  restarts: number;
  /** Log lines that could not be written. */
  linesLost: number;
  /** Exit code of the last end; 128 + n for signal n. */
  exitCode?: number;
  /** Ports of this machine by variable of the module, for example `HOLDFAST_HTTP_PORT`. */
  ports: Record<string, number>;
  /** Of the module's HTTP server, when it has a port of its own. */
  url?: string;
}

export type EdgeEvent =
  | { kind: 'started'; id: string; pid: number }
  | { kind: 'ended'; id: string; exitCode: number; next: ModuleState; delayMs?: number }
  | { kind: 'line'; id: string; line: LogLine }
  | { kind: 'warning'; detail: string };

export interface MethodResult {
  status: number;
  payload: unknown;
}

export interface ConnectionStrings {
  service: string;
  devices: Record<string, string>;
}

export interface Twin {
  desired: Record<string, unknown>;
  desiredVersion: number;
  reported: Record<string, unknown>;
  reportedVersion: number;
}

/** A running local edge. */
export interface EdgeHandle {
  readonly deviceId: string;
  readonly stateDir: string;
  /** `localhost:<port>` of the hub. */
  readonly gateway: string;
  /** Base URL of the IoT hub stand-in. */
  readonly cloudUrl: string;
  /** For the official service SDK, and for the device SDK of each leaf device; see edge/README.md. */
  readonly connectionStrings: ConnectionStrings;
  /** PEM file of the authority behind all certificates of this edge. */
  readonly caFile: string;
  /** All modules and `edgeHub`, in the order of their start. */
  modules(): ModuleStatus[];
  /** Sends a signal to a module or to `edgeHub`. What then happens is up to the restart policy. */
  kill(id: string, signal?: NodeJS.Signals): void;
  /** Ends and starts a module, whatever its state, and forgets its count of restarts. */
  restart(id: string): Promise<void>;
  /** Direct method. edgeAgent answers ping, RestartModule and GetModuleLogs. */
  invokeMethod(module: string, name: string, payload?: unknown): Promise<MethodResult>;
  /** Merges a patch into the desired properties of a module. Null deletes. */
  patchTwin(module: string, desired: Record<string, unknown>): Promise<void>;
  reported(module: string): Promise<Record<string, unknown>>;
  /** Both halves with their versions. */
  twin(module: string): Promise<Twin>;
  /** Takes away or gives back the way from the hub to the IoT hub stand-in. */
  setUpstream(up: boolean): Promise<void>;
  hubStatus(): Promise<Record<string, unknown>>;
  /** Whether the link is up, and how many messages of `$upstream` have arrived. */
  cloudStatus(): Promise<Record<string, unknown>>;
  /** The hub's fault switches; see edge/src/hub/faults.ts. */
  setFaults(faults: Record<string, unknown>): Promise<void>;
  logs(id: string, filter?: LogFilter): LogLine[];
  /** Adds a listener; returns a function that takes it away. */
  onEvent(listener: (event: EdgeEvent) => void): () => void;
  /** Stops modules, then the hub, then the rest. Idempotent. */
  stop(): Promise<void>;
}
