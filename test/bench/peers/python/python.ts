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

const HERE = import.meta.dirname;
const REQUIREMENTS = path.join(HERE, 'requirements.txt');
const interpreter = (cache: string): string => path.join(cache, 'python', 'bin', 'python');

async function installPython(cache: string): Promise<string> {
  await installOnce({ cache, name: 'python', pins: [REQUIREMENTS] }, async (folder) => {
    await must('python3', ['-m', 'venv', '--clear', folder]);
    await must(path.join(folder, 'bin', 'pip'), ['install', '--quiet', '-r', REQUIREMENTS]);
  });
  const versions = await must(interpreter(cache), [
    '-c',
    'import sys, sqlite3, onnxruntime; print(f"Python {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}, onnxruntime {onnxruntime.__version__}")',
  ]);
  return versions.trim();
}

const module = (
  script: string,
  { cache, work }: Place,
  options: { port: number; file: string; durable: boolean; listens: boolean },
): Promise<Supervised> =>
  Supervised.start({
    id: 'module',
    command: interpreter(cache),
    args: [
      ...[path.join(HERE, script), String(options.port), MODEL, options.file],
      options.durable ? 'durable' : 'default',
    ],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    logs: work,
    ...(options.listens ? { port: options.port } : {}),
  });

async function startHttp(place: Place, durable: boolean): Promise<RunningPeer> {
  const file = createTable(place.store, { key: durable, wal: durable });
  const port = await freePort();
  const process = await module('http_module.py', place, { port, file, durable, listens: true });
  return sqlitePeer({
    file,
    processes: [process],
    source: () => new HttpSource({ port, path: '/readings' }),
  });
}

async function startMqtt(place: Place, durable: boolean): Promise<RunningPeer> {
  const file = createTable(place.store, { key: durable, wal: durable });
  const { broker, port, subscribed } = await startMosquitto(place, durable);
  const process = await module('mqtt_module.py', place, { port, file, durable, listens: false });
  await subscribed();
  return sqlitePeer({
    file,
    processes: [broker, process],
    source: () => new MqttSource({ port, clientId: 'source' }),
  });
}

export const pythonPeers: readonly Peer[] = [
  {
    name: 'python-mqtt-default',
    product: 'Python module, paho-mqtt',
    configuration: 'default',
    acknowledges: 'PUBACK of the broker',
    aheadMax: BROKER_AHEAD_MAX,
    setup:
      'mosquitto as Debian configures it; paho as in its examples (new session at each start, acknowledged when the handler returns); SQLite as it comes, a transaction a message',
    scores: true,
    install: async (cache) =>
      `${await installPython(cache)}, paho-mqtt 2.1.0, ${mosquittoVersion()}`,
    start: (place) => startMqtt(place, false),
  },
  {
    name: 'python-mqtt-durable',
    product: 'Python module, paho-mqtt',
    configuration: 'most durable',
    acknowledges: 'PUBACK of the broker',
    aheadMax: BROKER_AHEAD_MAX,
    setup:
      'mosquitto writes its database after each change and drops nothing; a kept session, acknowledged by hand after the commit; SQLite WAL, synced, group commit up to 5,000 rows, unique key',
    scores: true,
    install: async (cache) =>
      `${await installPython(cache)}, paho-mqtt 2.1.0, ${mosquittoVersion()}`,
    start: (place) => startMqtt(place, true),
  },
  {
    name: 'python-http-default',
    product: 'Python service, aiohttp',
    configuration: 'default',
    acknowledges: '202 after the commit',
    setup: 'SQLite as it comes (rollback journal, synced), a transaction a request, no key',
    scores: true,
    install: async (cache) => `${await installPython(cache)}, aiohttp 3.12.15`,
    start: (place) => startHttp(place, false),
  },
  {
    name: 'python-http-durable',
    product: 'Python service, aiohttp',
    configuration: 'most durable',
    acknowledges: '202 after the commit',
    setup: 'SQLite WAL, synced, group commit up to 5,000 rows in a writer thread, unique key',
    scores: true,
    install: async (cache) => `${await installPython(cache)}, aiohttp 3.12.15`,
    start: (place) => startHttp(place, true),
  },
];
