import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChildProcess, freePort } from '@holdfast/testkit';
import mqtt from 'mqtt';
import { openAuthority } from '../../edge/src/certificates/index.ts';
import type { HubConfig } from '../../edge/src/hub/config.ts';
import { createSas } from '../../edge/src/hub/sas.ts';
import { ROOT } from '../steps.ts';
import { flow } from './limits/bare-mqtt.ts';

const DEVICE = 'bench';
const IOT_HUB = 'hub.example.net';
const SECONDS_AHEAD = 3_600;

/**
 * Messages with this body a second from one module through the local hub to another. The clients are the same as
 * those of the bare broker, so the difference is the hub's: identities, routes, the store.
 */
export async function throughHub(body: Buffer, seconds: number): Promise<number> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-hub-'));
  const authority = await openAuthority(path.join(folder, 'certs'), Date.now());
  const key = randomBytes(32).toString('base64');
  const into = 'BrokeredEndpoint("/modules/sink/inputs/in")';
  const config: HubConfig = {
    deviceId: DEVICE,
    iotHubHostName: IOT_HUB,
    host: '127.0.0.1',
    port: await freePort(),
    stateDir: path.join(folder, 'state'),
    tls: await authority.server('hub', ['localhost']),
    identities: { source: key, sink: key },
    routes: {
      way: {
        route: `FROM /messages/modules/source/outputs/out INTO ${into}`,
        priority: 9,
        timeToLiveSecs: 0,
      },
    },
    timeToLiveSecs: 7_200,
    desired: {},
    controlSocket: path.join(folder, 'hub.sock'),
    cloudUrl: '',
  };
  const file = path.join(folder, 'hub.json');
  writeFileSync(file, JSON.stringify(config));
  const hub = ChildProcess.start(path.join(ROOT, 'edge/src/hub/main.ts'), { args: [file] });
  await hub.line('Hub is up');
  const open = (module: string) => {
    const resource = `${IOT_HUB}/devices/${DEVICE}/modules/${module}`;
    return mqtt.connectAsync(`mqtts://localhost:${config.port}`, {
      ca: authority.trustBundlePem,
      protocolVersion: 4,
      clean: false,
      clientId: `${DEVICE}/${module}`,
      username: `${IOT_HUB}/${DEVICE}/${module}/?api-version=2021-04-12`,
      password: createSas(resource, key, Math.floor(Date.now() / 1_000) + SECONDS_AHEAD),
    });
  };
  const [source, sink] = await Promise.all([open('source'), open('sink')]);
  try {
    await sink.subscribeAsync(`devices/${DEVICE}/modules/sink/inputs/#`, { qos: 1 });
    const topic = `devices/${DEVICE}/modules/source/messages/events/%24.on=out`;
    return await flow(seconds, (arrived) => {
      sink.on('message', arrived);
      return () => source.publishAsync(topic, body, { qos: 1 });
    });
  } finally {
    await Promise.all([source.endAsync(true), sink.endAsync(true)]);
    await hub.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
