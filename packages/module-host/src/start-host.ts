import { join } from 'node:path';
import type { OutboundMessage, Transport, TransportHandlers } from '@holdfast/transport';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { type RenewingCertificate, renewingCertificate } from './certificate-renewal.ts';
import type { readEnvironment } from './environment.ts';
import { createHttpServer } from './http-server.ts';
import { createMetrics } from './metrics.ts';
import type { Clock, Log, ModuleDefinition, ModuleHost, RunningModule } from './port.ts';
import { Reporter } from './reporter.ts';
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

/** Time for HTTP requests under way, and for sends under way, before draining goes on without them. */
const REQUESTS_DRAIN_MS = 2_000;
const SENDS_DRAIN_MS = 3_000;

/** Starts a module: settings, metrics and HTTP first, then the module itself, then, in the background, the connection. */
export async function startHost<Env extends z.ZodObject, Settings extends z.ZodObject>(
  definition: ModuleDefinition<Env, Settings>,
  env: ReturnType<typeof readEnvironment<Env>>,
  parts: HostParts,
): Promise<RunningHost> {
  const { transport, log, clock } = parts;
  const startedMs = clock.monotonicMs();
  const connected = (): boolean => transport.state === 'connected';
  const settings = new SettingsKeeper<Settings>({
    schema: definition.settings,
    file: join(env.HOLDFAST_DATA_DIR, 'settings.json'),
    log,
  });
  const metrics = createMetrics({
    module: definition.name,
    version: definition.version,
    connected,
  });
  const certificate =
    env.HOLDFAST_HTTP_TLS === 'workload'
      ? await renewingCertificate({ environment: parts.environment, log })
      : undefined;
  let running: RunningModule<z.output<Settings>> | undefined;
  let draining = false;
  const status = (): Record<string, unknown> => ({
    module: definition.name,
    version: definition.version,
    site: env.HOLDFAST_SITE,
    connected: connected(),
    uptimeSecs: Math.floor((clock.monotonicMs() - startedMs) / 1000),
    settingsVersion: settings.version,
    ...(settings.verdict?.verdict === 'refused' ? { settingsRefused: settings.verdict } : {}),
    eventLoopDelayMs: metrics.eventLoopDelayMs(),
    rssBytes: process.memoryUsage.rss(),
    ...running?.status(),
  });
  const http = createHttpServer({
    metrics: metrics.registry,
    status,
    notReady: () => {
      if (draining) return 'the module is stopping';
      return running === undefined ? 'the module is starting' : running.notReady();
    },
    ...(certificate === undefined ? {} : { tls: certificate.first }),
  });
  const host: ModuleHost<z.output<Env>, z.output<Settings>> = {
    env,
    settings: settings.current,
    settingsVersion: settings.version,
    log,
    metrics: metrics.registry,
    clock,
    http,
    send: (message: OutboundMessage) => transport.send(message),
    connected,
    fatal: parts.fatal,
  };
  running = await definition.start(host);
  const url = await listen(http, env, certificate !== undefined);
  const endRenewal = certificate === undefined ? () => {} : renew(http, certificate);
  log.info('Module started', { module: definition.name, version: definition.version, url });
  const reporter = new Reporter({ send: (patch) => transport.report(patch), log });
  const report = reporting({ definition, running, settings, reporter });
  const handlers = handlersOf({ definition, running, settings, report, status, parts });
  transport.start(handlers).catch((error: unknown) => {
    // Closing during the very first connection is an ordinary stop.
    if (!draining) parts.fatal(error as Error);
  });
  const module = running;
  return {
    url,
    status,
    stop: async () => {
      draining = true;
      endRenewal();
      report.stop();
      await Promise.all([closeHttp(http), transport.close(SENDS_DRAIN_MS)]);
      await module.stop();
      metrics.stop();
    },
  };
}

function handlersOf<Env extends z.ZodObject, Settings extends z.ZodObject>(from: {
  definition: ModuleDefinition<Env, Settings>;
  running: RunningModule<z.output<Settings>>;
  settings: SettingsKeeper<Settings>;
  report: Reporting;
  status: () => Record<string, unknown>;
  parts: HostParts;
}): TransportHandlers {
  const { definition, running, settings, report, status, parts } = from;
  const { log } = parts;
  let judgedVersion: number | undefined;
  return {
    inputs: running.inputs,
    methods: {
      ping: () => ({
        status: 200,
        payload: { module: definition.name, version: definition.version },
      }),
      status: () => ({ status: 200, payload: status() }),
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

/** How often readiness is looked at for the reported properties. */
const READINESS_MS = 2_000;

interface Reporting {
  set(): void;
  again(): void;
  stop(): void;
}

/** Keeps verdict on the settings and readiness in the reported properties, the latter also when it changes by itself. */
function reporting<Settings extends z.ZodObject>(from: {
  definition: { name: string; version: string };
  running: RunningModule<z.output<Settings>>;
  settings: SettingsKeeper<Settings>;
  reporter: Reporter;
}): Reporting {
  const { definition, running, settings, reporter } = from;
  let reported: string | undefined;
  const set = (): void => {
    if (settings.verdict === undefined) return;
    reported = running.notReady();
    const report = reportOf(definition, settings.verdict);
    reporter.set({
      holdfast: { ...report, notReady: reported?.slice(0, NOT_READY_LENGTH_MAX) ?? null },
    });
  };
  const watch = setInterval(() => {
    if (running.notReady() !== reported) set();
  }, READINESS_MS);
  watch.unref();
  return {
    set,
    again: () => reporter.again(),
    stop: () => {
      clearInterval(watch);
      reporter.stop();
    },
  };
}

/** A reported string value may have 4 KiB. */
const NOT_READY_LENGTH_MAX = 1_000;

function reportOf(
  definition: { name: string; version: string },
  verdict: { version: number; verdict: string; problems: unknown[]; inForce: number },
): Record<string, unknown> {
  return { module: definition.name, version: definition.version, settings: { ...verdict } };
}

async function listen(
  http: FastifyInstance,
  env: { HOLDFAST_HTTP_HOST: string; HOLDFAST_HTTP_PORT: number },
  tls: boolean,
): Promise<string> {
  await http.listen({ host: env.HOLDFAST_HTTP_HOST, port: env.HOLDFAST_HTTP_PORT });
  const address = http.server.address();
  const port =
    address !== null && typeof address === 'object' ? address.port : env.HOLDFAST_HTTP_PORT;
  const host = env.HOLDFAST_HTTP_HOST.includes(':')
    ? `[${env.HOLDFAST_HTTP_HOST}]`
    : env.HOLDFAST_HTTP_HOST;
  return `${tls ? 'https' : 'http'}://${host}:${port}`;
}

function renew(http: FastifyInstance, certificate: RenewingCertificate): () => void {
  const server = http.server as unknown as import('node:https').Server;
  return certificate.renew(({ key, cert }) => server.setSecureContext({ key, cert }));
}

async function closeHttp(http: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), REQUESTS_DRAIN_MS);
  await http.close();
  clearTimeout(timer);
}
