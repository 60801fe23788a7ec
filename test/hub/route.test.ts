/**
 * Goal: messages of official SDK clients go where the routes say, as edge hub delivers them.
 * Method: a hub process over TLS, modules and a leaf device as clients of the unmodified SDK.
 */

import { until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Message } from 'azure-iot-device';
import { rawModule } from './raw-client.ts';
import { Site } from './site.ts';

let site: Site;

beforeEach(async () => {
  site = await Site.start({
    leafDevices: ['leaf-1'],
    routes: {
      plain:
        'FROM /messages/modules/source/outputs/o1 INTO BrokeredEndpoint("/modules/sink/inputs/i1")',
      leaf: 'FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) INTO BrokeredEndpoint("/modules/sink/inputs/leaf")',
    },
  });
});
afterEach(() => site.stop());

describe('routing', () => {
  it('delivers an output to the input of the route with its properties', async () => {
    const sink = await site.receiver('sink');
    const source = await site.open('source');
    const message = new Message('{"a":1}');
    message.messageId = 'm 1';
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    message.properties.add('kind', 'a/b?c=d&e');
    await source.sendOutputEvent('o1', message);
    await until(() => sink.received.length === 1);
    const [got] = sink.received;
    expect(got?.input).toBe('i1');
    expect(got?.body).toBe('{"a":1}');
    expect(got?.message.messageId).toBe('m 1');
    expect(got?.message.contentType).toBe('application/json');
    expect(got?.message.properties.getValue('kind')).toBe('a/b?c=d&e');
    expect(got?.message.properties.getValue('$.cdid')).toBe('edge-1');
    expect(got?.message.properties.getValue('$.cmid')).toBe('source');
  });

  it('keeps the order of one sender', async () => {
    const sink = await site.receiver('sink');
    const source = await site.open('source');
    const sent = Array.from({ length: 50 }, (_, i) => `n${i}`);
    for (const text of sent) await source.sendOutputEvent('o1', new Message(text));
    await until(() => sink.received.length === sent.length);
    expect(sink.received.map((r) => r.body)).toEqual(sent);
    expect(await site.queueLength('sink/i1')).toBe(0);
  });

  it('takes a message without a route and counts it as dropped', async () => {
    const source = await site.open('source');
    await source.sendOutputEvent('nowhere', new Message('x'));
    const { dropped, received } = await site.status();
    expect(received).toBe(1);
    expect(dropped).toEqual({ no_route: 1 });
  });

  it('takes messages of a leaf device', async () => {
    const sink = await site.receiver('sink');
    const leaf = await site.leaf('leaf-1');
    await leaf.sendEvent(new Message('from the leaf'));
    await until(() => sink.received.length === 1);
    expect(sink.received[0]?.input).toBe('leaf');
    expect(sink.received[0]?.message.properties.getValue('$.cdid')).toBe('leaf-1');
  });

  it('shows counters and queue lengths under the names of edge hub', async () => {
    const source = await site.open('source');
    await source.sendOutputEvent('o1', new Message('x'));
    await source.sendOutputEvent('nowhere', new Message('x'));
    const text = await site.control<string>('GET', '/metrics');
    const common = 'iothub="hub.example.net",edge_device="edge-1",instance_number="1"';
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        `edgehub_messages_received_total{${common},id="edge-1/source",route_output="o1"} 1`,
        `edgehub_messages_dropped_total{${common},reason="no_route",from="edge-1/source"} 1`,
        `edgehub_queue_length{${common},endpoint="sink/i1",priority="9"} 1`,
        `edgehub_connected_clients{${common}} 1`,
      ]),
    );
  });

  it('keeps messages for a module that has unsubscribed from its inputs', async () => {
    const sink = await rawModule(site, 'sink');
    await sink.unsubscribe();
    const source = await site.open('source');
    await source.sendOutputEvent('o1', new Message('x'));
    expect(await site.queueLength('sink/i1')).toBe(1);
    expect(sink.topics).toEqual([]);
    sink.end();
  });

  it('ends with 0 on SIGTERM and keeps what is stored', async () => {
    const source = await site.open('source');
    await source.sendOutputEvent('o1', new Message('x'));
    await source.close();
    expect(await site.hub.stop()).toEqual({ code: 0, signal: null });
    await site.startHub();
    expect(await site.queueLength('sink/i1')).toBe(1);
  });

  it('says what is wrong with its configuration and does not start', async () => {
    await site.hub.kill();
    const routes = {
      bad: { route: 'FROM /messages/* WHERE a = INTO $upstream', priority: 9, timeToLiveSecs: 0 },
    };
    Object.assign(site.config, { routes });
    await expect(site.startHub()).rejects.toThrow(/Hub cannot start.*route bad/);
    expect(site.hub.exit?.code).toBe(1);
    Object.assign(site.config, { port: 'x' });
    await expect(site.startHub()).rejects.toThrow(/port: \\"x\\" is not allowed/);
  });
});
