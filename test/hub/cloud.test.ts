/**
 * Goal: what is routed to $upstream arrives at the local IoT hub exactly once, whatever happens to the link; and the
 * unmodified service SDK reads and changes twins and calls methods there.
 * Method: hub process, cloud process, device SDK, and `azure-iothub` over HTTPS. The SDK has no option for a port
 * or a CA, so the tests give its REST client an agent that has both.
 */

import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { ChildProcess, freePort, until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Message, type Twin } from 'azure-iot-device';
import { Client, Registry } from 'azure-iothub';
import type { CloudConfig } from '../../edge/src/cloud/config.ts';
import { control, DEVICE, IOT_HUB, newKey, Site } from './site.ts';

let site: Site;
let cloud: ChildProcess;
let config: CloudConfig;

async function startCloud(): Promise<void> {
  writeFileSync(join(site.folder, 'cloud.json'), JSON.stringify(config));
  cloud = ChildProcess.start(join(process.cwd(), 'edge/src/cloud/main.ts'), {
    args: [join(site.folder, 'cloud.json')],
  });
  await cloud.line('Cloud is up');
}

beforeEach(async () => {
  const port = await freePort();
  const key = newKey();
  site = await Site.start({
    config: {
      cloudUrl: `https://localhost:${port}`,
      cloudKey: key,
      desired: { source: { rate: 5 }, sink: {} },
    },
    cloudCa: true,
    routes: { up: 'FROM /messages/* INTO $upstream' },
  });
  config = {
    hostName: IOT_HUB,
    host: '127.0.0.1',
    port,
    stateDir: join(site.folder, 'cloud'),
    tls: await site.authority.server('cloud', ['localhost', '127.0.0.1']),
    devices: { [DEVICE]: key },
    policies: { iothubowner: newKey() },
    controlSocket: join(site.folder, 'cloud.sock'),
  };
  await startCloud();
});
afterEach(async () => {
  await site.stop();
  await cloud.kill();
});

interface Status {
  received: number;
  duplicates: number;
  connected: string[];
}
const status = (): Promise<Status> => control(config.controlSocket, 'GET', '/control/status');
const link = (up: boolean): Promise<unknown> =>
  control(config.controlSocket, 'POST', '/control/link', { up });
const bodies = async (): Promise<string[]> => {
  const path = '/control/messages?limit=1000';
  const messages = await control<{ body: string }[]>(config.controlSocket, 'GET', path);
  return messages.map((message) => message.body);
};
const connected = (): Promise<unknown> =>
  until(async () => (await status()).connected.includes(DEVICE));

const connectionString = (key = config.policies.iothubowner!): string =>
  `HostName=localhost;SharedAccessKeyName=iothubowner;SharedAccessKey=${key}`;

/** The SDK has no public way to set port and CA. */
function withPort<T extends Registry | Client>(client: T): T {
  const agent = new Agent({ defaultPort: config.port, ca: site.authority.trustBundlePem });
  const rest = client as unknown as { _restApiClient: { setOptions(options: object): void } };
  rest._restApiClient.setOptions({ http: { agent } });
  return client;
}
const registry = (key?: string): Registry =>
  withPort(Registry.fromConnectionString(connectionString(key)));

const report = (twin: Twin, patch: object): Promise<void> =>
  new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (error: Error | null) =>
      error ? reject(error) : resolve(),
    );
  });

describe('$upstream', () => {
  it('delivers in order what was sent with the link up, down, and up again, each once', async () => {
    const source = await site.open('source');
    const texts = Array.from({ length: 400 }, (_, i) => `n${i}`);
    for (const [i, text] of texts.entries()) {
      if (i === 100) await link(false);
      if (i === 300) await link(true);
      await source.sendOutputEvent('o1', new Message(text));
    }
    await until(async () => (await status()).received === texts.length, { timeoutMs: 20_000 });
    expect(await bodies()).toEqual(texts);
    await until(async () => (await site.queueLength('$upstream')) === 0);
  });

  it('delivers each message once over kills of hub and cloud', async () => {
    const source = await site.open('source');
    const texts = Array.from({ length: 300 }, (_, i) => `n${i}`);
    const acknowledged = new Set<string>();
    const sending = (async () => {
      for (const text of texts) {
        const message = new Message(text);
        await source.sendOutputEvent('o1', message);
        acknowledged.add(text);
      }
    })();
    await until(() => acknowledged.size > 50);
    await cloud.kill();
    await until(() => acknowledged.size > 100);
    await startCloud();
    await until(async () => (await status()).received > 100, { timeoutMs: 20_000 });
    await site.killHub();
    await site.startHub();
    await sending;
    await until(async () => (await site.queueLength('$upstream')) === 0, { timeoutMs: 20_000 });
    const got = await bodies();
    expect([...new Set(got)]).toEqual(texts);
    // The SDK sends the one message again whose acknowledgement the killed hub could not give.
    expect(got.length).toBeLessThanOrEqual(texts.length + 1);
  });
});

describe('service SDK', () => {
  it('reads and changes the twin of a module, and the module hears of it', async () => {
    await connected();
    const device = await (await site.open('source')).getTwin();
    const seen: { rate?: number }[] = [];
    device.on('properties.desired', (delta: { rate?: number }) => seen.push(delta));
    await report(device, { seen: true });
    const service = registry();
    await until(async () => {
      const { responseBody } = await service.getModuleTwin(DEVICE, 'source');
      return (responseBody.properties.reported as { seen?: boolean }).seen;
    });
    const { responseBody: twin } = await service.getModuleTwin(DEVICE, 'source');
    expect(twin.properties.desired).toMatchObject({ rate: 5 });
    const patch = { properties: { desired: { rate: 6 } } };
    await service.updateModuleTwin(DEVICE, 'source', patch, twin.etag);
    await until(() => seen.some((delta) => delta.rate === 6));
    await expect(
      service.updateModuleTwin(DEVICE, 'source', patch, twin.etag),
    ).rejects.toMatchObject({ name: 'InvalidEtagError' });
  });

  it('keeps what the cloud has changed over a restart of the hub, until the next deployment', async () => {
    await connected();
    await registry().updateModuleTwin(
      DEVICE,
      'source',
      { properties: { desired: { rate: 8 } } },
      '*',
    );
    const desired = (): Promise<{ desired: { rate: number } }> =>
      site.control('GET', '/twins/source');
    await until(async () => (await desired()).desired.rate === 8);
    await site.killHub();
    await site.startHub();
    await connected();
    expect((await desired()).desired.rate).toBe(8);
    await site.reload({ desired: { source: { rate: 9 }, sink: {} } });
    await until(async () => {
      const { responseBody } = await registry().getModuleTwin(DEVICE, 'source');
      return (responseBody.properties.desired as { rate?: number }).rate === 9;
    });
    expect((await desired()).desired.rate).toBe(9);
  });

  it('gets what was reported while the link was down', async () => {
    await connected();
    const twin = await (await site.open('source')).getTwin();
    await link(false);
    await report(twin, { offline: 1 });
    await link(true);
    await until(
      async () => {
        const { responseBody } = await registry().getModuleTwin(DEVICE, 'source');
        return (responseBody.properties.reported as { offline?: number }).offline === 1;
      },
      { timeoutMs: 20_000 },
    );
  });

  it('calls a direct method of a module', async () => {
    await connected();
    const module = await site.open('source');
    module.onMethod('echo', (request, response) => {
      void response?.send(200, { echo: request?.payload });
    });
    const client = withPort(Client.fromConnectionString(connectionString()));
    const params = { methodName: 'echo', payload: { x: 1 }, connectTimeoutInSeconds: 10 };
    const { result } = await client.invokeDeviceMethod(DEVICE, 'source', params);
    expect(result).toEqual({ status: 200, payload: { echo: { x: 1 } } });
    await expect(
      client.invokeDeviceMethod(DEVICE, 'sink', { methodName: 'echo' }),
    ).rejects.toMatchObject({ response: expect.objectContaining({ statusCode: 404 }) });
  });

  it('lists devices and modules, by registry and by query', async () => {
    await connected();
    const service = registry();
    const { responseBody: modules } = await service.getModulesOnDevice(DEVICE);
    expect(modules.map((module) => module.moduleId)).toEqual(['sink', 'source']);
    const query = service.createQuery(`SELECT * FROM devices WHERE deviceId = '${DEVICE}'`);
    const { result } = await query.nextAsTwin();
    expect(result.map((twin) => twin.deviceId)).toEqual([DEVICE]);
  });

  it('refuses a wrong key, an unknown module and what is not simulated, by name', async () => {
    await connected();
    await expect(registry(newKey()).getTwin(DEVICE)).rejects.toMatchObject({
      name: 'UnauthorizedError',
    });
    await expect(registry().getModuleTwin(DEVICE, 'nobody')).rejects.toMatchObject({
      response: expect.objectContaining({ statusCode: 404 }),
    });
    await expect(registry().delete(DEVICE)).rejects.toThrow(/not simulated/);
  });

  it('finds nobody while the link is down', async () => {
    await connected();
    await link(false);
    await expect(registry().getTwin(DEVICE)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await link(true);
    expect((await registry().getTwin(DEVICE)).responseBody.deviceId).toBe(DEVICE);
  });
});
