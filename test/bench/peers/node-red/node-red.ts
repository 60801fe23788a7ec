import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { freePort } from '@holdfast/testkit';
import { createTable } from '../database.ts';
import { installOnce, must } from '../install.ts';
import { MODEL } from '../model.ts';
import { BROKER_AHEAD_MAX, mosquittoVersion, startMosquitto } from '../mosquitto/mosquitto.ts';
import type { Peer, Place, RunningPeer } from '../peer.ts';
import { Supervised } from '../processes.ts';
import { HttpSource, MqttSource } from '../sources.ts';
import { sqlitePeer } from '../sqlite-peer.ts';
import { flow } from './flow.ts';

const HERE = import.meta.dirname;
const PACKAGES = path.join(HERE, 'packages.json');

async function installNodeRed(cache: string): Promise<string> {
  await installOnce({ cache, name: 'node-red', pins: [PACKAGES] }, async (folder) => {
    copyFileSync(PACKAGES, path.join(folder, 'package.json'));
    const npm = (args: string[]) => must('npm', args, { cwd: folder, env: nodeHeaders() });
    await npm(['install', '--ignore-scripts', '--no-audit', '--no-fund']);
    // The SQLite binding of its node is compiled here: needs make, a C++ compiler and Python, takes a minute or two.
    await npm(['rebuild', 'sqlite3', '--build-from-source']);
  });
  return `Node-RED 5.0.7, node-red-node-sqlite 1.1.1, onnxruntime-node 1.30.0, Node ${process.versions.node}`;
}

/** The headers that came with this Node, so that nothing has to be fetched for the compiler. */
function nodeHeaders(): Record<string, string> {
  const here = createRequire(import.meta.url);
  try {
    const folder = path.dirname(here.resolve(`node-linux-${process.arch}/package.json`));
    return { npm_config_nodedir: folder };
  } catch {
    return {};
  }
}

async function start(place: Place, way: 'http' | 'mqtt'): Promise<RunningPeer> {
  const { cache, store, work } = place;
  const durable = way === 'http';
  const file = createTable(store, { key: durable, wal: durable });
  const broker = way === 'mqtt' ? await startMosquitto(place, false) : undefined;
  const port = await freePort();
  const userDir = path.join(work, 'node-red');
  mkdirSync(userDir, { recursive: true });
  const installed = path.join(cache, 'node-red', 'node_modules');
  symlinkSync(installed, path.join(userDir, 'node_modules'));
  copyFileSync(path.join(HERE, 'settings.cjs'), path.join(userDir, 'settings.js'));
  copyFileSync(path.join(HERE, 'scorer.cjs'), path.join(userDir, 'scorer.cjs'));
  const nodes = flow(way, { database: file, port: broker?.port ?? 0 });
  writeFileSync(path.join(userDir, 'flows.json'), JSON.stringify(nodes));
  const nodeRed = await Supervised.start({
    id: 'node-red',
    command: process.execPath,
    args: [path.join(installed, 'node-red/red.js'), '--userDir', userDir, 'flows.json'],
    env: {
      ...{ PEER_PORT: String(port), PEER_MODEL: MODEL },
      NODE_OPTIONS: '',
    },
    cwd: userDir,
    logs: work,
    port,
  });
  await broker?.subscribed();
  const processes = broker === undefined ? [nodeRed] : [broker.broker, nodeRed];
  return sqlitePeer({
    ...{ file, processes },
    source: () =>
      broker === undefined
        ? new HttpSource({ port, path: '/readings' })
        : new MqttSource({ port: broker.port, clientId: 'source' }),
  });
}

export const nodeRedPeers: readonly Peer[] = [
  {
    name: 'node-red-default',
    product: 'Node-RED',
    configuration: 'default',
    acknowledges: 'PUBACK of the broker',
    aheadMax: BROKER_AHEAD_MAX,
    setup:
      'mosquitto as Debian configures it; mqtt in, function with onnxruntime-node, sqlite node, all as the editor creates them; SQLite as it comes, a transaction a message, no key',
    scores: true,
    install: async (cache) => `${await installNodeRed(cache)}, ${mosquittoVersion()}`,
    start: (place) => start(place, 'mqtt'),
  },
  {
    name: 'node-red-durable',
    product: 'Node-RED',
    configuration: 'most durable',
    acknowledges: '202 after the insert',
    setup:
      'http in, function with onnxruntime-node, sqlite node, http response after it (503 when it fails); SQLite WAL, synced, a transaction a request, unique key',
    scores: true,
    install: installNodeRed,
    start: (place) => start(place, 'http'),
  },
];
