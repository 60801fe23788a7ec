// A module that commits each message in one of several ways, right and wrong, by the bare SDK or by the adapter.
import '@holdfast/module-host/node-version';
import { createTransport } from '@holdfast/transport';
import azureDevice from 'azure-iot-device';
import azureMqtt from 'azure-iot-device-mqtt';
import Database from 'better-sqlite3';

const [by = 'sdk', way = 'sync', file = ':memory:'] = process.argv.slice(2);
const db = new Database(file);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.exec('create table if not exists committed (body text, atNs text)');
const insert = db.prepare('insert into committed values (?, ?)');
let send: (body: string) => void = () => {};

const commit = (body: string): void => {
  insert.run(body, String(process.hrtime.bigint()));
};
const busy = (ms: number): void => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

const ways: Record<string, (body: string) => void> = {
  sync: (body) => {
    busy(150);
    commit(body);
  },
  async: async (body) => {
    await null;
    await new Promise((resolve) => setTimeout(resolve, 50));
    commit(body);
  },
  throw: () => {
    throw new Error('commit failed');
  },
  'kill-before': () => {
    process.kill(process.pid, 'SIGKILL');
    busy(5_000);
  },
  'kill-after': (body) => {
    commit(body);
    process.kill(process.pid, 'SIGKILL');
    busy(5_000);
  },
  burst: commit,
  'burst-send': (body) => {
    send(body);
    commit(body);
  },
};
ways['throw-swallowed'] = ways.throw as (body: string) => void;
if (way === 'throw-swallowed') process.on('uncaughtException', () => {});
const handle = ways[way] as (body: string) => void;

if (by === 'sdk') {
  const client = await azureDevice.ModuleClient.fromEnvironment(azureMqtt.Mqtt);
  await client.open();
  send = (body) => {
    client.sendOutputEvent('out', new azureDevice.Message(body)).catch(() => {});
  };
  client.on('inputMessage', (_input: string, message: { data: Buffer }) => {
    process.send?.({ event: 'handling' });
    handle(message.data.toString());
  });
} else {
  const silent = { warn: () => {}, info: () => {}, debug: () => {} };
  const transport = createTransport({ environment: process.env, log: silent });
  send = (body) => {
    transport.send({ output: 'out', body }).catch(() => {});
  };
  await transport.start({
    inputs: {
      in: ({ body }) => {
        process.send?.({ event: 'handling' });
        handle(body.toString());
      },
    },
    methods: {},
    onDesired: () => {},
    // As wrong as can be: whoever has installed the handler above is not ended by this.
    onFatal: () => {},
  });
}
process.on('disconnect', () => process.exit(0));
