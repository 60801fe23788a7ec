import { join } from 'node:path';
import type { OutboundMessage, Transport, TransportHandlers } from '@holdfast/transport';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { renewingCertificate } from './certificate-renewal.ts';
import type { readEnvironment } from './environment.ts';
import { closeHttp, createHttpServer, listen, renewCertificate } from './http-server.ts';
import { createMetrics, type HostMetrics } from './metrics.ts';
import type { Clock, Log, ModuleDefinition, ModuleHost, RunningModule } from './port.ts';
import { Reporter } from './reporter.ts';
import { type Reporting, reporting } from './reporting.ts';
import { SettingsKeeper } from './settings.ts';

export interface HostParts {
  transport: Transport;
  log: Log;
  clock: Clock;
  /** For the workload API only; everything else is in `env`. */
  environment: NodeJS.ProcessEnv;
  /** Ends the process after one error line. */
  fatal(error: Error): never;
}

export interface RunningHost {
  /** Base URL of the HTTP server, for example `http://127.0.0.1:8080`. */
  readonly url: string;
  status(): Record<string, unknown>;
  /** Drains: no new requests, no new input, sends finished, stores closed. */
  stop(): Promise<void>;
}

/** Time for sends under way before draining goes on without them. */
const SENDS_DRAIN_MS = 3_000;

type Environment<Env extends z.ZodObject> = ReturnType<typeof readEnvironment<Env>>;

/** What all parts of one module share. */
interface Base<Env extends z.ZodObject, Settings extends z.ZodObject> {
  definition: ModuleDefinition<Env, Settings>;
  env: Environment<Env>;
  parts: HostParts;
  settings: SettingsKeeper<Settings>;
  metrics: HostMetrics;
  startedMs: number;
  connected(): boolean;
  running: RunningModule<z.output<Settings>> | undefined;
  draining: boolean;
}

/** Starts a module: settings, metrics and HTTP first, then the module itself, then, in the background, the connection. */
export async function startHost<Env extends z.ZodObject, Settings extends z.ZodObject>(
  definition: ModuleDefinition<Env, Settings>,
  env: Environment<Env>,
  parts: HostParts,
): Promise<RunningHost> {
  const { transport, log } = parts;
  const base = baseOf(definition, env, parts);
  const certificate =
    env.HOLDFAST_HTTP_TLS === 'workload'
      ? await renewingCertificate({ environment: parts.environment, log })
      : undefined;
  const http = createHttpServer({
    metrics: base.metrics.registry,
    status: () => statusOf(base),
    notReady: () => {
      if (base.draining) return 'the module is stopping';
      return base.running === undefined ? 'the module is starting' : base.running.notReady();
    },
    ...(certificate === undefined ? {} : { tls: certificate.first }),
  });
  const running = await definition.start(hostOf(base, http));
  base.running = running;
  const url = await listen(http, env, certificate !== undefined);
  const endRenewal = certificate === undefined ? () => {} : renewCertificate(http, certificate);
  log.info('Module started', { module: definition.name, version: definition.version, url });
  const reporter = new Reporter({ send: (patch) => transport.report(patch), log });
  const report = reporting({ definition, running, settings: base.settings, reporter });
  transport.start(handlersOf(base, running, report)).catch((error: unknown) => {
    // Closing during the very first connection is an ordinary stop.
    if (!base.draining) parts.fatal(error as Error);
  });
  return {
    url,
    status: () => statusOf(base),
    stop: async () => {
      base.draining = true;
      endRenewal();
      report.stop();
      await Promise.all([closeHttp(http), transport.close(SENDS_DRAIN_MS)]);
      await running.stop();
      base.metrics.stop();
    },
  };
}

function baseOf<Env extends z.ZodObject, Settings extends z.ZodObject>(
  definition: ModuleDefinition<Env, Settings>,
  env: Environment<Env>,
  parts: HostParts,
): Base<Env, Settings> {
  const { name, version } = definition;
  const connected = (): boolean => parts.transport.state === 'connected';
  return {
    definition,
    env,
    parts,
    settings: new SettingsKeeper<Settings>({
      schema: definition.settings,
      file: join(env.HOLDFAST_DATA_DIR, 'settings.json'),
      log: parts.log,
    }),
    metrics: createMetrics({ module: name, version, connected }),
    startedMs: parts.clock.monotonicMs(),
    connected,
    running: undefined,
    draining: false,
  };
}

function hostOf<Env extends z.ZodObject, Settings extends z.ZodObject>(
  base: Base<Env, Settings>,
  http: FastifyInstance,
): ModuleHost<z.output<Env>, z.output<Settings>> {
  const { parts, settings, metrics } = base;
  return {
    env: base.env,
    settings: settings.current,
    settingsVersion: settings.version,
    log: parts.log,
    metrics: metrics.registry,
    clock: parts.clock,
    http,
    send: (message: OutboundMessage) => parts.transport.send(message),
    connected: base.connected,
    fatal: parts.fatal,
  };
}

/** For GET /status and the direct method of that name. */
function statusOf<Env extends z.ZodObject, Settings extends z.ZodObject>(
  base: Base<Env, Settings>,
): Record<string, unknown> {
  const { definition, env, parts, settings, metrics } = base;
  return {
    module: definition.name,
    version: definition.version,
    site: env.HOLDFAST_SITE,
    connected: base.connected(),
    uptimeSecs: Math.floor((parts.clock.monotonicMs() - base.startedMs) / 1000),
    settingsVersion: settings.version,
    ...(settings.verdict?.verdict === 'refused' ? { settingsRefused: settings.verdict } : {}),
    eventLoopDelayMs: metrics.eventLoopDelayMs(),
    rssBytes: process.memoryUsage.rss(),
    ...base.running?.status(),
  };
}

function handlersOf<Env extends z.ZodObject, Settings extends z.ZodObject>(
  base: Base<Env, Settings>,
  running: RunningModule<z.output<Settings>>,
  report: Reporting,
): TransportHandlers {
  const { definition, settings, parts } = base;
  const { log } = parts;
  let judgedVersion: number | undefined;
  return {
    inputs: running.inputs,
    methods: {
      ping: () => ({
        status: 200,
        payload: { module: definition.name, version: definition.version },
      }),
      status: () => ({ status: 200, payload: statusOf(base) }),
      flush: async () => ({ status: 200, payload: await running.flush() }),
      ...running.methods,
    },
    onDesired: (desired, version) => {
      const verdict = settings.offer(desired, version, (next) => running.apply(next));
      if (version !== judgedVersion) {
        judgedVersion = version;
        if (verdict.verdict === 'accepted') log.info('Settings accepted', { version });
        else log.warn('Settings refused, the old ones stay in force', { ...verdict });
      }
      report.set();
    },
    onState: (state) => {
      if (state === 'connected') {
        log.info('Connected to the hub');
        report.again();
        running.onConnected?.();
      } else if (state === 'disconnected') {
        log.warn('Connection to the hub lost, connecting again');
      }
    },
    onFatal: (error) => parts.fatal(error),
  };
}
