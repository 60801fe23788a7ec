import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeClock, temporaryFolder, until } from '@holdfast/testkit';
import { MemoryHub } from '@holdfast/transport';
import { afterEach, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { readEnvironment } from './environment.ts';
import type { ModuleDefinition, ModuleHost, RunningModule } from './port.ts';
import { type RunningHost, startHost } from './start-host.ts';

const settings = z.object({ credit: z.int().min(1).max(16).default(4) });
const environment = z.object({ DEMO: z.string().default('demo') });
type Settings = z.output<typeof settings>;
type Host = ModuleHost<z.output<typeof environment>, Settings>;

const running: RunningHost[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((host) => host.stop()));
});

async function start(given: {
  module?: (host: Host, events: string[]) => Partial<RunningModule<Settings>>;
  folder?: string;
  hub?: MemoryHub;
}) {
  const hub = given.hub ?? new MemoryHub().route('demo/out', 'demo/in');
  const events: string[] = [];
  const folder = given.folder ?? temporaryFolder('host');
  const definition: ModuleDefinition<typeof environment, typeof settings> = {
    name: 'demo',
    version: '1.2.3',
    environment,
    settings,
    async start(host) {
      events.push(`start ${JSON.stringify(host.settings)}`);
      return {
        inputs: { in: ({ body }) => void events.push(`in ${body.toString()}`) },
        apply: (next) => void events.push(`apply ${JSON.stringify(next)}`),
        status: () => ({ counted: 7 }),
        flush: async () => ({ flushed: 3 }),
        notReady: () => undefined,
        stop: async () => void events.push('stop'),
        ...given.module?.(host, events),
      };
    },
  };
  const env = readEnvironment(
    { environment, httpPort: 0 },
    { HOLDFAST_DATA_DIR: folder, HOLDFAST_SITE: 'plant', HOLDFAST_HTTP_PORT: '0' },
  );
  const transport = hub.transport('demo');
  const fatal = (error: Error): never => {
    events.push(`fatal ${error.message}`);
    return undefined as never;
  };
  const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
  const host = await startHost(definition, env, {
    transport,
    log: silent,
    clock: new FakeClock(),
    environment: {},
    fatal,
  });
  running.push(host);
  const get = async (path: string): Promise<{ status: number; body: string }> => {
    const response = await fetch(`${host.url}${path}`);
    return { status: response.status, body: await response.text() };
  };
  return { hub, host, events, get, transport, folder };
}

describe('module host', () => {
  it('starts the module before the first connection, with settings from before', async () => {
    const folder = temporaryFolder('host');
    const first = await start({ folder });
    first.hub.setDesired('demo', { credit: 9 });
    await until(() => first.events.includes('apply {"credit":9}'));
    await first.host.stop();

    const hub = new MemoryHub();
    hub.refuse(true);
    const second = await start({ folder, hub });
    expect(second.events).toEqual(['start {"credit":9}']);
    expect(second.host.status()).toMatchObject({ connected: false, settingsVersion: 2 });
  });

  it('reports the verdict on settings with path, value and what is allowed', async () => {
    const { hub, events } = await start({});
    await until(() => 'holdfast' in hub.reported('demo'));
    expect(hub.reported('demo')).toEqual({
      holdfast: {
        module: 'demo',
        version: '1.2.3',
        settings: { version: 1, verdict: 'accepted', problems: [], inForce: 1 },
      },
    });
    hub.setDesired('demo', { credit: 17, unknown: true });
    await until(() => JSON.stringify(hub.reported('demo')).includes('refused'));
    expect(hub.reported('demo').holdfast).toMatchObject({
      settings: {
        version: 2,
        inForce: 1,
        problems: [
          { path: 'credit', value: '17', allowed: 'must be at most 16' },
          { path: 'unknown', allowed: 'is not a known name and must be left out' },
        ],
      },
    });
    expect(events.filter((event) => event.startsWith('apply'))).toEqual(['apply {"credit":4}']);
  });

  it('reports again over a new connection', async () => {
    const { hub, transport } = await start({});
    await until(() => 'holdfast' in hub.reported('demo'));
    const reports: unknown[] = [];
    transport.report = async (patch) => void reports.push(patch);
    hub.disconnect();
    await until(() => reports.length > 0);
    expect(reports[0]).toMatchObject({ holdfast: { settings: { verdict: 'accepted' } } });
  });

  it('reports why the module is not ready, and takes it back when it is', async () => {
    let reason: string | undefined = 'no model';
    const { hub } = await start({ module: () => ({ notReady: () => reason }) });
    await until(() => 'holdfast' in hub.reported('demo'));
    expect(hub.reported('demo')).toMatchObject({ holdfast: { notReady: 'no model' } });
    reason = undefined;
    await until(() => !JSON.stringify(hub.reported('demo')).includes('notReady'));
    expect(hub.reported('demo')).toMatchObject({ holdfast: { settings: { verdict: 'accepted' } } });
  });

  it('reports what the module says about itself, and again when that changes', async () => {
    const models: Record<string, unknown> = { pump: { state: 'fetching' } };
    const { hub } = await start({ module: () => ({ reported: () => ({ models }) }) });
    await until(() => 'holdfast' in hub.reported('demo'));
    expect(hub.reported('demo')).toMatchObject({ models: { pump: { state: 'fetching' } } });
    models.pump = null;
    models.fan = { state: 'ready' };
    await until(() => JSON.stringify(hub.reported('demo')).includes('ready'));
    expect(hub.reported('demo').models).toEqual({ fan: { state: 'ready' } });
  });

  it('answers ping, status and flush, and the methods of the module', async () => {
    const { hub } = await start({
      module: () => ({ methods: { rewind: (payload) => ({ status: 202, payload }) } }),
    });
    await until(async () => (await hub.invoke('demo', 'ping', {})).status === 200);
    expect(await hub.invoke('demo', 'ping', {})).toEqual({
      status: 200,
      payload: { module: 'demo', version: '1.2.3' },
    });
    expect((await hub.invoke('demo', 'status', {})).payload).toMatchObject({ counted: 7 });
    expect((await hub.invoke('demo', 'flush', {})).payload).toEqual({ flushed: 3 });
    expect(await hub.invoke('demo', 'rewind', { to: 1 })).toEqual({
      status: 202,
      payload: { to: 1 },
    });
  });

  it('serves health, readiness, metrics and status', async () => {
    let missing: string | undefined = 'no model is loaded';
    const { get } = await start({ module: () => ({ notReady: () => missing }) });
    expect((await get('/healthz')).status).toBe(200);
    expect(await get('/readyz')).toEqual({
      status: 503,
      body: '{"status":"not ready","reason":"no model is loaded"}',
    });
    missing = undefined;
    expect((await get('/readyz')).status).toBe(200);
    const metrics = (await get('/metrics')).body;
    expect(metrics).toContain('holdfast_module_info{module="demo",version="1.2.3"} 1');
    expect(metrics).toContain('holdfast_hub_connected 1');
    expect(metrics).toContain('process_resident_memory_bytes');
    expect(metrics).toContain('nodejs_eventloop_lag_p99_seconds');
    const status = JSON.parse((await get('/status')).body);
    expect(status).toMatchObject({ module: 'demo', site: 'plant', connected: true, counted: 7 });
    expect(Object.keys(status.eventLoopDelayMs)).toEqual(['p50', 'p99', 'max']);
    expect(status.rssBytes).toBeGreaterThan(1e6);
  });

  it('lets the module serve paths of its own', async () => {
    const { get } = await start({
      module: (host) => {
        host.http.get('/own', () => ({ env: host.env.DEMO }));
        return {};
      },
    });
    expect((await get('/own')).body).toBe('{"env":"demo"}');
  });

  it('ends the process when a handler throws', async () => {
    const { hub, events } = await start({
      module: () => ({
        inputs: {
          in: () => {
            throw new Error('disk is gone');
          },
        },
      }),
    });
    hub.deliver('demo', { input: 'in', body: Buffer.from('{}') });
    await until(() => events.includes('fatal disk is gone'));
    expect(hub.queued('demo')).toBe(1);
  });

  it('stops input before the module closes its stores, and finishes requests under way', async () => {
    let release = (): void => {};
    const { hub, host, events, get } = await start({
      module: (given) => {
        given.http.get(
          '/slow',
          () =>
            new Promise((resolve) => {
              release = () => resolve('done');
            }),
        );
        return {};
      },
    });
    const slow = get('/slow');
    await until(async () => (await get('/healthz')).status === 200);
    const stopping = host.stop();
    release();
    expect(await slow).toEqual({ status: 200, body: 'done' });
    await stopping;
    hub.deliver('demo', { input: 'in', body: Buffer.from('late') });
    await new Promise(setImmediate);
    expect(events.at(-1)).toBe('stop');
    expect(hub.queued('demo')).toBe(1);
  });

  it('keeps the settings on disk under the data folder', async () => {
    const { hub, folder, events } = await start({});
    hub.setDesired('demo', { credit: 5 });
    await until(() => events.includes('apply {"credit":5}'));
    expect(JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8'))).toMatchObject({
      version: 2,
      desired: { credit: 5 },
    });
  });
});
