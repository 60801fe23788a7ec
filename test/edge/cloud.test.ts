/*
 * Goal: the way to the cloud and the leaf devices of a started edge. Method: the stranger's template routes to
 * $upstream; a leaf device with the official device SDK sends to the hub; the service SDK reads a twin.
 */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type { EdgeHandle } from '@holdfast/edge';
import { until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Client as DeviceClient, Message } from 'azure-iot-device';
import { Mqtt } from 'azure-iot-device-mqtt';
import { Client, Registry } from 'azure-iothub';
import { post, ready, startScene, statusOf, stopScenes } from './scene.ts';

afterEach(stopScenes);

/** The service SDK has no public way to set port and authority. */
function withPort<T extends Registry | Client>(client: T, edge: EdgeHandle): T {
  const agent = new Agent({
    defaultPort: Number(new URL(edge.cloudUrl).port),
    ca: readFileSync(edge.caFile),
  });
  const rest = client as unknown as { _restApiClient: { setOptions(options: object): void } };
  rest._restApiClient.setOptions({ http: { agent } });
  return client;
}

describe('a started edge', () => {
  it('keeps what goes to $upstream while the link is down, and delivers it once when it is back', async () => {
    const { edge } = await startScene();
    await ready(edge);
    const received = async (): Promise<unknown> => (await edge.cloudStatus()).received;
    expect(await post(edge, [1])).toBe(202);
    await until(async () => (await received()) === 1);
    await edge.setUpstream(false);
    expect(await post(edge, [2])).toBe(202);
    expect(await post(edge, [3])).toBe(202);
    await until(async () =>
      JSON.stringify(await edge.hubStatus()).includes(
        '"endpoint":"$upstream","priority":9,"length":2',
      ),
    );
    expect(await received()).toBe(1);
    edge.kill('edgeHub', 'SIGKILL');
    await until(
      () =>
        statusOf(edge, 'edgeHub').restarts === 1 && statusOf(edge, 'edgeHub').state === 'running',
    );
    await edge.setUpstream(true);
    await until(async () => (await received()) === 3, { timeoutMs: 30_000 });
    expect(await edge.cloudStatus()).toMatchObject({ up: true, received: 3 });
  }, 60_000);

  it('lets leaf devices in that it was told of, by their connection strings', async () => {
    const { edge } = await startScene({ leafDevices: ['meter-1'] });
    const client = DeviceClient.fromConnectionString(
      edge.connectionStrings.devices['meter-1'] ?? '',
      Mqtt,
    );
    await client.setOptions({ ca: readFileSync(edge.caFile, 'utf8') });
    await client.open();
    await client.sendEvent(new Message('[1]'));
    await client.close();
    expect(await edge.hubStatus()).toMatchObject({ received: 1, dropped: { no_route: 1 } });
  }, 40_000);

  it('refuses a leaf device that is called like a module', async () => {
    await expect(startScene({ leafDevices: ['averager'] })).rejects.toMatchObject({
      code: 'EDGE_NOT_SIMULATED',
    });
  });

  it('shows its twins to the service SDK, and takes changes from there', async () => {
    const { edge } = await startScene();
    await ready(edge);
    const registry = withPort(Registry.fromConnectionString(edge.connectionStrings.service), edge);
    const reported = async (): Promise<unknown> => {
      const { responseBody } = await registry.getModuleTwin(edge.deviceId, 'averager');
      return responseBody.properties.reported.decimals;
    };
    await until(async () => (await reported()) === 1, { timeoutMs: 20_000 });
    await registry.updateModuleTwin(
      edge.deviceId,
      'averager',
      { properties: { desired: { decimals: 4 } } },
      '*',
    );
    await until(async () => (await edge.reported('averager')).decimals === 4, {
      timeoutMs: 20_000,
    });
    await until(async () => (await reported()) === 4, { timeoutMs: 20_000 });
  }, 60_000);
});

describe('edgeAgent', () => {
  it('answers its methods to the service SDK, and reports how modules are', async () => {
    const { edge } = await startScene();
    await ready(edge);
    const answer = await until(
      () =>
        withPort(
          Client.fromConnectionString(edge.connectionStrings.service),
          edge,
        ).invokeDeviceMethod(edge.deviceId, '$edgeAgent', {
          methodName: 'RestartModule',
          payload: { schemaVersion: '1.0', id: 'counter' },
        }) as unknown as Promise<{ result: unknown }>,
      { timeoutMs: 20_000 },
    );
    expect(answer.result).toMatchObject({ status: 200 });
    const registry = withPort(Registry.fromConnectionString(edge.connectionStrings.service), edge);
    const reported = async () =>
      (await registry.getModuleTwin(edge.deviceId, '$edgeAgent')).responseBody.properties.reported;
    await until(async () => (await reported()).modules?.counter.restartCount > 0, {
      timeoutMs: 20_000,
    });
    expect(await reported()).toMatchObject({
      systemModules: { edgeHub: { runtimeStatus: 'running' } },
      modules: { averager: { runtimeStatus: 'running', restartCount: 0 } },
    });
  }, 60_000);
});
