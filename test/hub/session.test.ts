/**
 * Goal: connections, sessions and twins behave as the unmodified SDK needs them, also over a SIGKILL of the hub.
 * Method: a hub process over TLS and SDK clients; the hub is killed and started again on the same state.
 */

import { until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Message, type ModuleClient, type Twin } from 'azure-iot-device';
import { createSas } from '../../edge/src/hub/sas.ts';
import { connectCode } from './raw-client.ts';
import { DEVICE, IOT_HUB, newKey, Site } from './site.ts';

let site: Site;

beforeEach(async () => {
  site = await Site.start({
    config: { desired: { source: { rate: 5, nested: { a: 1 } } } },
    routes: {
      plain: 'FROM /messages/modules/source/* INTO BrokeredEndpoint("/modules/sink/inputs/i1")',
      twins: 'FROM /twinChangeNotifications INTO BrokeredEndpoint("/modules/sink/inputs/twins")',
    },
  });
});
afterEach(() => site.stop());

const report = (twin: Twin, patch: object): Promise<void> =>
  new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (error: Error | null) =>
      error ? reject(error) : resolve(),
    );
  });

const method = (client: ModuleClient, name: string, status: number): void =>
  client.onMethod(name, (request, response) => {
    void response?.send(status, { echo: request?.payload });
  });

describe('connect', () => {
  const resource = `${IOT_HUB}/devices/${DEVICE}/modules/source`;
  const inAnHour = (): number => Math.floor(Date.now() / 1_000) + 3_600;
  const key = (): string => site.config.identities.source!;

  it('takes a token of the module', async () => {
    expect(await connectCode(site, 'source', createSas(resource, key(), inAnHour()))).toBe(0);
  });

  it.each([
    ['a wrong key', () => createSas(resource, newKey(), inAnHour())],
    ['an expired token', () => createSas(resource, key(), inAnHour() - 3_700)],
    ['a token for another module', () => createSas(`${resource}2`, key(), inAnHour())],
    ['no token', () => 'secret'],
  ])('refuses %s with code 5', async (_name, password) => {
    expect(await connectCode(site, 'source', password())).toBe(5);
  });

  it('refuses a client id that is not the one of the user name', async () => {
    const password = createSas(resource, key(), inAnHour());
    expect(await connectCode(site, 'source', password, `${DEVICE}/sink`)).toBe(5);
  });

  it('answers code 3 while it is told to be unavailable, and the SDK gets in later', async () => {
    await site.control('POST', '/faults', { refuseConnections: 'unavailable' });
    const password = createSas(resource, key(), inAnHour());
    expect(await connectCode(site, 'source', password)).toBe(3);
    await site.control('POST', '/faults', { refuseConnections: null });
    await site.open('source');
    expect((await site.status()).clients.map((c) => c.id)).toEqual([`${DEVICE}/source`]);
  });

  it('ends the older of two connections with one client id', async () => {
    const older = await site.client('source');
    await older.open();
    const newer = await site.open('source');
    await newer.sendOutputEvent('o1', new Message('x'));
    expect(site.hub.lines.filter((line) => /Client is disconnected/.test(line))).toHaveLength(1);
    expect((await site.status()).clients).toHaveLength(1);
  });
});

describe('twin', () => {
  it('gives the desired properties of the deployment', async () => {
    const twin = await (await site.open('source')).getTwin();
    expect(twin.properties.desired).toMatchObject({ rate: 5, nested: { a: 1 }, $version: 1 });
  });

  it('merges reported patches, null deletes, and each one is a twin change notification', async () => {
    const sink = await site.receiver('sink');
    const twin = await (await site.open('source')).getTwin();
    await report(twin, { a: { b: 1, c: 2 }, d: [1, 2] });
    await report(twin, { a: { b: null } });
    const stored = await site.control('GET', '/twins/source');
    expect(stored).toMatchObject({ reported: { a: { c: 2 }, d: [1, 2] }, reportedVersion: 3 });
    await until(() => sink.received.length === 2);
    expect(sink.received[1]?.input).toBe('twins');
    expect(JSON.parse(sink.received[1]!.body)).toEqual({ a: { b: null } });
  });

  it.each([
    ['a name with a dot', { 'a.b': 1 }, /must not contain/],
    ['a text of 4097 bytes', { a: 'x'.repeat(4_097) }, /4097 bytes/],
    ['an integer beyond 2^52', { a: 2 ** 52 }, /not between/],
    ['a null in an array', { a: [null] }, /null is not allowed/],
    [
      'a patch over 32 KiB',
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(4_000)])),
      /32768/,
    ],
  ])('refuses %s with a reason', async (_name, patch, reason) => {
    const twin = await (await site.open('source')).getTwin();
    await expect(report(twin, patch)).rejects.toThrow(reason);
    expect(await site.control('GET', '/twins/source')).toMatchObject({ reportedVersion: 1 });
  });

  it('pushes changes of desired properties to a client that listens', async () => {
    const twin = await (await site.open('source')).getTwin();
    const seen: object[] = [];
    twin.on('properties.desired', (delta: object) => seen.push(delta));
    await until(async () => {
      await site.control('PATCH', '/twins/source', { rate: 6 });
      return seen.length > 1;
    });
    expect(seen.at(-1)).toMatchObject({ rate: 6 });
  });

  it('answers on the old subscriptions after the hub was killed', async () => {
    const client = await site.open('source');
    await client.getTwin();
    await site.control('PATCH', '/twins/source', { rate: 7 });
    await site.killHub();
    await site.startHub();
    await client.sendOutputEvent('o1', new Message('reconnects'));
    const twin = await client.getTwin();
    expect(twin.properties.desired).toMatchObject({ rate: 7, $version: 2 });
  });

  it('replaces the desired properties when the deployment changes, and only then', async () => {
    await site.control('PATCH', '/twins/source', { rate: 7 });
    await site.reload({ desired: { source: { rate: 5, nested: { a: 1 } } } });
    expect(await site.control('GET', '/twins/source')).toMatchObject({ desired: { rate: 7 } });
    await site.reload({ desired: { source: { rate: 9 } } });
    expect(await site.control('GET', '/twins/source')).toMatchObject({
      desired: { rate: 9 },
      desiredVersion: 3,
    });
  });
});

describe('direct methods', () => {
  it('calls a module and gives its answer', async () => {
    const client = await site.open('source');
    method(client, 'echo', 201);
    const reply = await until(() =>
      site.control('POST', '/methods/source/echo', { payload: { x: 1 } }),
    );
    expect(reply).toEqual({ status: 201, payload: { echo: { x: 1 } } });
  });

  it('answers 404 when the module is away, and waits for it up to the connect timeout', async () => {
    await expect(site.control('POST', '/methods/source/echo', {})).rejects.toMatchObject({
      status: 404,
    });
    const reply = site.control('POST', '/methods/source/echo', { connectTimeoutInSeconds: 20 });
    const client = await site.open('source');
    method(client, 'echo', 200);
    expect(await reply).toMatchObject({ status: 200 });
  });

  it('answers 504 when the module does not', async () => {
    const client = await site.open('source');
    method(client, 'other', 200);
    const reply = until(() =>
      site
        .control('POST', '/methods/source/silent', { responseTimeoutInSeconds: 5 })
        .catch((error: { status: number }) => (error.status === 504 ? error : undefined)),
    );
    expect(await reply).toMatchObject({ status: 504 });
  });
});
