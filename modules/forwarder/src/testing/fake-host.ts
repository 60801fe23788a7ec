import type { AddressInfo } from 'node:net';
import type { Clock, Log, ModuleHost } from '@holdfast/module-host';
import type { OutboundMessage } from '@holdfast/transport';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import type { Environment, Settings } from '../config.ts';

export interface FakeHost {
  host: ModuleHost<Environment, Settings>;
  sent: OutboundMessage[];
  /** One line an event: level, sentence, fields as JSON. */
  lines: string[];
  /** While true, sends fail. */
  disconnected: { now: boolean };
  /** Asks the module's own API, over a socket. */
  get(path: string): Promise<{ status: number; body: Record<string, unknown> }>;
  close(): Promise<void>;
}

/** A host without a hub: keeps what is sent, and throws what is fatal. For tests and benches. */
export function aHost(
  folder: string,
  settings: Settings,
  given: {
    connectionString?: string | undefined;
    site?: string;
    clock?: Clock;
    settingsVersion?: number;
  } = {},
): FakeHost {
  const sent: OutboundMessage[] = [];
  const lines: string[] = [];
  const disconnected = { now: false };
  const write =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}): void => {
      lines.push(`${level} ${event} ${JSON.stringify(fields)}`);
    };
  const log: Log = {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
  };
  const http = fastify();
  const host: ModuleHost<Environment, Settings> = {
    env: {
      HOLDFAST_SITE: given.site ?? 'plant-1',
      HOLDFAST_DATA_DIR: folder,
      HOLDFAST_HTTP_HOST: '127.0.0.1',
      HOLDFAST_HTTP_PORT: 0,
      HOLDFAST_STORAGE_CONNECTION_STRING: given.connectionString,
    },
    settings,
    settingsVersion: given.settingsVersion ?? 1,
    log,
    metrics: new Registry(),
    clock: given.clock ?? { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    http,
    send: async (message) => {
      if (disconnected.now) throw new Error('not connected');
      sent.push(message);
    },
    connected: () => !disconnected.now,
    fatal: (error) => {
      throw error;
    },
  };
  return {
    host,
    sent,
    lines,
    disconnected,
    get: async (path) => {
      if (!http.server.listening) await http.listen({ host: '127.0.0.1', port: 0 });
      const { port } = http.server.address() as AddressInfo;
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    close: async () => {
      http.server.closeAllConnections();
      await http.close();
    },
  };
}
