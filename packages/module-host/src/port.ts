import type { MessageHandler, MethodHandler, OutboundMessage } from '@holdfast/transport';
import type { FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { z } from 'zod';

/**
 * What a module is, to the host that runs it. The host owns everything that all modules have in common: the
 * environment, twin settings and their verdict, connection, direct methods, health, metrics, logs, draining.
 */
export interface ModuleDefinition<Env extends z.ZodObject, Settings extends z.ZodObject> {
  /** Folder, image and module id. */
  name: string;
  version: string;
  /** Where HTTP listens unless HOLDFAST_HTTP_PORT says otherwise. @default 8080 */
  httpPort?: number;
  /** Variables read once at start; keys are the variables' names. Strings only come in, so use coercion. */
  environment: Env;
  /** Twin settings; every key must have a default, so that `{}` is a complete document. */
  settings: Settings;
  /** Opens stores and builds the pipeline. Runs before the first connection: a module works without a hub. */
  start(
    host: ModuleHost<z.output<Env>, z.output<Settings>>,
  ): Promise<RunningModule<z.output<Settings>>>;
}

export interface ModuleHost<Env, Settings> {
  readonly env: Env & HostEnvironment;
  /** In force at start: last good settings from disk, else defaults. */
  readonly settings: Settings;
  /** Of the twin document that these settings come from; 0 while none has ever come and they are the defaults. */
  readonly settingsVersion?: number;
  readonly log: Log;
  readonly metrics: Registry;
  readonly clock: Clock;
  /** The module's HTTP server, not yet listening; health and metrics are already on it. */
  readonly http: FastifyInstance;
  /** See Transport.send. Rejects with TRANSPORT_NOT_CONNECTED before the first connection. */
  send(message: OutboundMessage): Promise<void>;
  readonly connected: () => boolean;
  /** Ends the process with exit code 1 after one error line. For failed commits and broken invariants. */
  fatal(error: Error): never;
}

export interface RunningModule<Settings> {
  inputs: Readonly<Record<string, MessageHandler>>;
  /** Besides `ping`, `status` and `flush`, which the host answers. */
  methods?: Readonly<Record<string, MethodHandler>>;
  /** New settings, already checked. May throw an Error whose message is the reason to refuse them; then the old ones stay. */
  apply(settings: Settings): void;
  /** For method `status`, GET /status and the demo: plain JSON, cheap, no secrets. */
  status(): Record<string, unknown>;
  /** For method `flush`: writes out what waits for a timer (open rollups, partial batches); resolves when done. */
  flush(): Promise<Record<string, unknown>>;
  /**
   * The module's own reported properties, beside `holdfast`: cheap, and within the limits of a twin. Looked at every few
   * seconds and sent when they differ, so nothing in it may change all the time. A key that has to go is null.
   */
  reported?(): Record<string, unknown>;
  /** Empty when the module can do its work, else what is missing, as a sentence. */
  notReady(): string | undefined;
  onConnected?(): void;
  /** Stop taking in, finish what is under way, close stores. At most 10 s in all. */
  stop(): Promise<void>;
}

/** Variables that the host itself reads, for every module. */
export interface HostEnvironment {
  /** Name of the site, in every record and blob name. */
  HOLDFAST_SITE: string;
  /** Folder for databases and last good settings. */
  HOLDFAST_DATA_DIR: string;
  HOLDFAST_HTTP_HOST: string;
  HOLDFAST_HTTP_PORT: number;
}

/** Monotonic for intervals, wall for records. */
export interface Clock {
  monotonicMs(): number;
  wallMs(): number;
}

/** One line an event: a constant sentence, values in fields; no payloads, no secrets. */
export interface Log {
  error(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  debug(event: string, fields?: Record<string, unknown>): void;
}
