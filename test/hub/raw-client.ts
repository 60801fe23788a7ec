import { connect as connectTls } from 'node:tls';
import { connect } from 'mqtt';
import { generate, type Packet, parser } from 'mqtt-packet';
import { createSas } from '../../edge/src/hub/sas.ts';
import { DEVICE, IOT_HUB, type Site } from './site.ts';

/** The return code of a CONNECT, without the SDK's own ideas about it. */
export function connectCode(
  site: Site,
  module: string,
  password: string,
  clientId = `${DEVICE}/${module}`,
): Promise<number> {
  const client = connect({
    protocol: 'mqtts',
    host: 'localhost',
    port: site.config.port,
    ca: site.authority.trustBundlePem,
    protocolVersion: 4,
    clean: false,
    clientId,
    username: `${IOT_HUB}/${DEVICE}/${module}/?api-version=2021-04-12`,
    password,
    reconnectPeriod: 0,
  });
  return new Promise((resolve, reject) => {
    client.once('connect', (packet) => {
      client.end(true);
      resolve(packet.returnCode ?? -1);
    });
    client.once('error', (error) => {
      client.end(true);
      const { code } = error as { code?: unknown };
      if (typeof code === 'number') resolve(code);
      else reject(error);
    });
  });
}

/** A module that has subscribed to its inputs and acknowledges nothing. */
export interface RawModule {
  /** Of the messages delivered to it. */
  readonly topics: string[];
  unsubscribe(): Promise<void>;
  end(): void;
}

export async function rawModule(site: Site, module: string): Promise<RawModule> {
  const topics: string[] = [];
  const { port, identities } = site.config;
  const resource = `${IOT_HUB}/devices/${DEVICE}/modules/${module}`;
  const expiry = Math.floor(Date.now() / 1_000) + 3_600;
  const socket = connectTls({ host: 'localhost', port, ca: site.authority.trustBundlePem });
  const packets = parser();
  socket.on('data', (chunk) => packets.parse(chunk));
  packets.on('packet', (packet: Packet) => {
    if (packet.cmd === 'publish') topics.push(packet.topic);
  });
  const arrives = (cmd: Packet['cmd']): Promise<void> =>
    new Promise((resolve, reject) => {
      socket.once('error', reject);
      packets.on('packet', (packet: Packet) => {
        if (packet.cmd === cmd) resolve();
      });
    });
  const topic = `devices/${DEVICE}/modules/${module}/inputs/#`;
  const username = `${IOT_HUB}/${DEVICE}/${module}/?api-version=2021-04-12`;
  const password = Buffer.from(createSas(resource, identities[module]!, expiry));
  const clientId = `${DEVICE}/${module}`;
  const subscriptions = [{ topic, qos: 1 as const }];
  const connected = arrives('connack');
  socket.write(
    generate({ cmd: 'connect', clientId, username, password, clean: false, keepalive: 60 }),
  );
  await connected;
  const subscribed = arrives('suback');
  socket.write(generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
  await subscribed;
  return {
    topics,
    unsubscribe: () => {
      const done = arrives('unsuback');
      socket.write(generate({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: [topic] }));
      return done;
    },
    end: () => socket.destroy(),
  };
}
