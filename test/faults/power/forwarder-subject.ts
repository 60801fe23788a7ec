/**
 * The process whose power is cut: a forwarder with its data in `<disk>`, and a blob store that keeps what it gets in
 * `<blobs>`, outside of the disk. `node forwarder-subject.ts <disk> <blobs> <seed> <steps>`.
 */
import { writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { ReceiptsMessage } from '@holdfast/contracts';
import { Rig } from '../../forwarder/rig.ts';
import { BlobStore } from './blob-store.ts';
import { messageOf, type Said, type Step, settingsOf, stepsOf } from './forwarder-workload.ts';

const [disk, blobs, seed, count] = process.argv.slice(2) as [string, string, string, string];
const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`);

const store = await BlobStore.open();
let files = 0;
store.onPut = (name, { body, metadata }) => {
  files += 1;
  writeFileSync(path.join(blobs, String(files)), body);
  say({ put: name, file: files, metadata });
};
let rig = await start();
for (const step of stepsOf(Number(seed), Number(count))) await run(step);
process.exit(0);

async function start(): Promise<Rig> {
  const started = await Rig.start({
    connection: store.connectionString,
    settings: settingsOf(Number(seed)),
    folder: disk,
    options: {
      onStep: (step) => {
        if (step === 'settled') say({ settled: true });
      },
    },
  });
  const { host } = started.fake;
  const send = host.send;
  Object.assign(host, {
    send: (message: { output: string; body: string }) => {
      say({ receipts: (JSON.parse(message.body) as ReceiptsMessage).receipts });
      return send(message);
    },
  });
  return started;
}

async function run(step: Step): Promise<void> {
  if (step.do === 'batch') {
    const body = Buffer.from(JSON.stringify(messageOf(step.stream, step.first, step.last)));
    rig.module.inputs.scores!({ input: 'scores', body, properties: {} });
    // Receipts leave in a turn of their own, and uploads go on meanwhile.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  } else if (step.do === 'flush') await rig.module.flush();
  else {
    await rig.stop();
    rig = await start();
  }
}
