import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { freePort } from '@holdfast/testkit';
import { createDatabase } from '../database.ts';
import { installOnce, must } from '../install.ts';
import { BROKER_AHEAD_MAX, mosquittoVersion, startMosquitto } from '../mosquitto/mosquitto.ts';
import type { Peer, Place, RunningPeer } from '../peer.ts';
import { Supervised } from '../processes.ts';
import { HttpSource, MqttSource } from '../sources.ts';
import { sqlitePeer } from '../sqlite-peer.ts';

const VERSION = 'v1.37.2';
/** Only what the configurations below use: a fraction of the time that all plugins need to compile. */
const TAGS = 'custom,inputs.http_listener_v2,inputs.mqtt_consumer,outputs.sql,parsers.json_v2';

async function installTelegraf(cache: string): Promise<string> {
  await installOnce({ cache, name: 'telegraf', pins: [VERSION, TAGS] }, async (folder) => {
    const source = `github.com/influxdata/telegraf/cmd/telegraf@${VERSION}`;
    await must('go', ['install', '-tags', TAGS, '-ldflags', '-s -w', source], {
      env: { GOBIN: folder, GOFLAGS: '-mod=mod' },
    });
  });
  return `Telegraf ${VERSION}`;
}

/** One reading a metric. The output makes its own table of them, with the same columns but the score. */
const parser = (input: string): string => `
  data_format = "json_v2"
  [[inputs.${input}.json_v2]]
    measurement_name = "readings"
    [[inputs.${input}.json_v2.object]]
      path = "@this"
      disable_prepend_keys = true
      tags = ["asset"]
      [inputs.${input}.json_v2.object.fields]
        t = "int"
`;

const httpInput = (port: number): string => `
[[inputs.http_listener_v2]]
  service_address = "tcp://127.0.0.1:${port}"
  paths = ["/readings"]
${parser('http_listener_v2')}`;

const mqttInput = (port: number): string => `
[[inputs.mqtt_consumer]]
  servers = ["tcp://127.0.0.1:${port}"]
  topics = ["readings"]
  qos = 1
  client_id = "telegraf"
  persistent_session = true
  max_undelivered_messages = 5000
  topic_tag = ""
${parser('mqtt_consumer')}`;

/** Not the default: a transaction a batch. With one a row, as it comes, it stores less than a hundred rows a second. */
const sqlOutput = (file: string): string => `
[[outputs.sql]]
  driver = "sqlite"
  data_source_name = "file:${file}?_pragma=busy_timeout(5000)"
  timestamp_column = ""
  batch_transactions = true
`;

const agent = (durable: boolean): string =>
  durable
    ? '[agent]\n  omit_hostname = true\n  flush_interval = "1s"\n  metric_batch_size = 250\n  metric_buffer_limit = 100000\n'
    : '[agent]\n  omit_hostname = true\n';

async function start(place: Place, way: 'http' | 'mqtt'): Promise<RunningPeer> {
  const { cache, store, work } = place;
  const durable = way === 'mqtt';
  const file = createDatabase(store, durable);
  const broker = durable ? await startMosquitto(place, true) : undefined;
  const port = broker?.port ?? (await freePort());
  const configuration = path.join(work, 'telegraf.conf');
  const input = durable ? mqttInput(port) : httpInput(port);
  writeFileSync(configuration, agent(durable) + sqlOutput(file) + input);
  const telegraf = await Supervised.start({
    id: 'telegraf',
    command: path.join(cache, 'telegraf', 'telegraf'),
    args: ['--config', configuration],
    logs: work,
    ...(durable ? {} : { port }),
  });
  await broker?.subscribed();
  const processes = broker === undefined ? [telegraf] : [broker.broker, telegraf];
  return sqlitePeer({
    ...{ file, processes },
    source: () =>
      durable
        ? new MqttSource({ port, clientId: 'source' })
        : new HttpSource({ port, path: '/readings' }),
  });
}

export const telegrafPeers: readonly Peer[] = [
  {
    name: 'telegraf-default',
    product: 'Telegraf',
    configuration: 'default',
    acknowledges: '204 when parsed',
    // Of the 10,000 that it keeps in memory before it drops.
    aheadMax: { singles: 8_000, batched: 8_000 },
    setup:
      'http_listener_v2 to outputs.sql (SQLite) with a transaction a batch; the default agent: written every 10 s or 1,000 metrics, at most 10,000 wait in memory',
    scores: false,
    calmMs: 11_500,
    install: installTelegraf,
    start: (place) => start(place, 'http'),
  },
  {
    name: 'telegraf-durable',
    product: 'Telegraf',
    configuration: 'most durable',
    acknowledges: 'PUBACK of the broker',
    aheadMax: BROKER_AHEAD_MAX,
    setup:
      'mosquitto writes its database after each change and drops nothing; mqtt_consumer with a kept session, which acknowledges what the output has written; outputs.sql (SQLite WAL, synced) with a transaction for 250 metrics or each second',
    scores: false,
    install: async (cache) => `${await installTelegraf(cache)}, ${mosquittoVersion()}`,
    start: (place) => start(place, 'mqtt'),
  },
];
