import { mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Rig } from '../../forwarder/rig.ts';
import { cutPower } from '../disk/cuts.ts';
import { shimUnavailable } from '../disk/shim.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { BlobStore } from './blob-store.ts';
import { checkDelivered } from './delivered.ts';
import { ForwarderLedger } from './forwarder-ledger.ts';
import {
  endsOf,
  messageOf,
  STREAMS,
  settingsOf,
  stepsOf,
  streamName,
} from './forwarder-workload.ts';
import { recorded } from './recorded.ts';

const SUBJECT = path.join(import.meta.dirname, 'forwarder-subject.ts');
const DATABASE = 'modules/forwarder/src/adapters/database.ts';

export const powerForwarder: Scenario = {
  name: 'power-forwarder',
  topic: 'power',
  fault:
    'The power is cut while the forwarder applies scores of two streams, gives receipts, seals and uploads blobs, and starts anew; at each of many moments a disk is made up from what was synced and any part of what was not.',
  holds:
    'The forwarder starts and is not taken for damaged, stands at or behind no receipt that had left, its positions, totals, lanes and rows agree, and after the rest of the stream every reading is delivered once, in blobs of the same names.',
  plants: [
    {
      name: 'synchronous-normal',
      file: DATABASE,
      find: "db.pragma('synchronous = FULL')",
      replace: "db.pragma('synchronous = NORMAL')",
    },
    {
      name: 'synchronous-off',
      file: DATABASE,
      find: "db.pragma('synchronous = FULL')",
      replace: "db.pragma('synchronous = OFF')",
    },
  ],
  unavailable: async () => shimUnavailable(),
  run,
};

/** One cut in so many is followed to the end of the stream; the others end with a look at the store. */
const FOLLOWED = 4;

async function run(round: Round): Promise<Counts> {
  const { size, seed, folder, signal } = round;
  const count = size === 'short' ? 80 : 600;
  const steps = stepsOf(seed, size === 'short' ? 40 : 150);
  const ends = endsOf(steps);
  const blobs = path.join(folder, 'blobs');
  mkdirSync(blobs);
  const entries = await recorded(round, SUBJECT, (disk) => {
    return [disk, blobs, String(seed), String(steps.length)];
  });
  const ledger = new ForwarderLedger(entries, blobs);
  const image = path.join(folder, 'image');
  let followed = 0;
  const cuts = await cutPower({ entries, image, seed, count, signal }, async ({ at, random }) => {
    ledger.advance(at);
    if (!random.chance(1 / FOLLOWED)) {
      await started(image, seed, undefined, async (rig) => checkStore(rig, ledger));
    } else {
      followed += 1;
      await follow({ image, seed, ends }, ledger);
    }
    checkPages(path.join(image, 'forwarder.db'));
  });
  return { cuts, followed, uploads: ledger.blobs.size, operations: entries.length };
}

async function follow(
  { image, seed, ends }: { image: string; seed: number; ends: readonly number[] },
  ledger: ForwarderLedger,
): Promise<void> {
  const store = await BlobStore.open();
  for (const [name, blob] of ledger.blobs) store.blobs.set(name, blob);
  try {
    await started(image, seed, store.connectionString, async (rig) => {
      checkStore(rig, ledger);
      // As ingest does: on from its last receipt, which may be far behind.
      for (let stream = 0; stream < STREAMS; stream += 1) {
        const from = (ledger.receipted.get(streamName(stream)) ?? 0) + 1;
        for (let first = from; first <= ends[stream]!; first += 100) {
          const message = messageOf(stream, first, Math.min(first + 99, ends[stream]!));
          const body = Buffer.from(JSON.stringify(message));
          rig.module.inputs.scores!({ input: 'scores', body, properties: {} });
        }
      }
      for (let tries = 0; rig.pending > 0 || tries === 0; tries += 1) {
        const { left } = await rig.module.flush();
        mustHold(tries < 20, `it does not deliver: ${String(left)}`);
      }
      checkBooks(rig);
      await checkDelivered(store.blobs, ends);
    });
  } finally {
    await store.close();
  }
}

interface Status {
  applied: number;
  skipped: number;
  gaps: number;
  blobs: number;
  streams: { stream: string; through: number }[];
}

function checkStore(rig: Rig, ledger: ForwarderLedger): void {
  const { streams, blobs, gaps } = rig.status as unknown as Status;
  for (const [stream, receipted] of ledger.receipted) {
    const through = streams.find((one) => one.stream === stream)?.through ?? 0;
    mustHold(
      through >= receipted,
      `${stream} stands at ${through}, and ${receipted} was receipted`,
    );
  }
  mustHold(blobs >= ledger.settled, `${blobs} blobs are delivered, and ${ledger.settled} were`);
  mustHold(gaps === 0, `${gaps} gaps are recorded, and nothing is missing`);
  checkBooks(rig);
}

/** What a store says of itself must agree, and nothing may be reported as damaged. */
function checkBooks(rig: Rig): void {
  const { streams, applied, skipped } = rig.status as unknown as Status;
  const sum = streams.reduce((total, { through }) => total + through, 0);
  mustHold(sum === applied, `the streams stand at ${sum} rows, and ${applied} were applied`);
  mustHold(skipped === 0, `${skipped} rows were skipped`);
  for (const [lane, counts] of Object.entries(rig.status.lanes)) {
    const { produced, delivered, pending, denied, evicted, dead } = counts;
    const off = produced - delivered - pending - denied - evicted - dead;
    mustHold(
      off === 0 && evicted + dead === 0,
      `lane ${lane} does not add up: ${JSON.stringify(counts)}`,
    );
  }
  const trouble = rig.fake.lines.find((line) => /^error|salvag|damag|quarantin/i.test(line));
  mustHold(trouble === undefined, `it reports ${trouble}`);
}

function checkPages(file: string): void {
  const db = new Database(file);
  const state = db.pragma('integrity_check', { simple: true });
  db.close();
  mustHold(state === 'ok', `the database is damaged: ${state}`);
}

async function started(
  folder: string,
  seed: number,
  connection: string | undefined,
  check: (rig: Rig) => Promise<void>,
): Promise<void> {
  let rig: Rig;
  try {
    rig = await Rig.start({ connection, settings: settingsOf(seed), folder });
  } catch (error) {
    throw new FaultFound(`the forwarder does not start: ${(error as Error).message}`);
  }
  try {
    await check(rig);
  } finally {
    await rig.stop();
  }
}
