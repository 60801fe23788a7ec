import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '@holdfast/testkit';
import { type Site, startSite } from '../../ingest/site-in-memory.ts';
import { cutPower } from '../disk/cuts.ts';
import { shimUnavailable } from '../disk/shim.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { checkInput, checkSettings, readJournal } from './ingest-disk.ts';
import { IngestLedger } from './ingest-ledger.ts';
import { bodyOf, inputFiles } from './ingest-workload.ts';
import { recorded } from './recorded.ts';

const SUBJECT = path.join(import.meta.dirname, 'ingest-subject.ts');

export const powerIngestProcess: Scenario = {
  name: 'power-ingest-process',
  topic: 'power',
  fault:
    'The power is cut while ingest takes posts, reads files of its input folder, refuses rows, takes new settings and gets receipts; at each of many moments a disk is made up from what was synced and any part of what was not.',
  holds:
    'Ingest starts, has every reading whose 202 had left and no half post, answers a repeated key as before, goes on in each file behind what is stored, and has the old or the new settings.',
  plants: [
    {
      name: 'settings-not-synced',
      file: 'packages/module-host/src/replace-file.ts',
      find: '    fsyncSync(written);\n',
      replace: '',
    },
    {
      name: 'acknowledged-before-commit',
      file: 'packages/journal/src/database.ts',
      find: '      begin.run();\n      const result = work();\n      commit.run();',
      replace:
        '      if (db.inTransaction) commit.run();\n      begin.run();\n      const result = work();\n      setTimeout(() => db.inTransaction && commit.run(), 3);',
    },
  ],
  unavailable: async () => shimUnavailable(),
  run,
};

async function run(round: Round): Promise<Counts> {
  const { size, seed, folder, signal } = round;
  const startMs = Date.now();
  const start = path.join(folder, 'start');
  const files = inputFiles(seed, startMs);
  let identities = new Map<string, string>();
  const entries = await recorded(round, SUBJECT, (disk) => {
    for (const root of [start, disk]) identities = prepare(root, files);
    return [disk, String(seed), String(size === 'short' ? 40 : 200), String(startMs)];
  });
  const ledger = new IngestLedger(entries);
  const image = path.join(folder, 'image');
  const options = { entries, start, image, seed, count: size === 'short' ? 90 : 800, signal };
  const cuts = await cutPower(options, async ({ at, random }) => {
    ledger.advance(at);
    const data = path.join(image, 'data');
    const input = path.join(image, 'input');
    checkSettings(data, ledger);
    const found = readJournal(data, (journal, values) => {
      const all = new Set([...ledger.applied, ...values]);
      ledger.check(all);
      for (const file of files) {
        checkInput(
          { data, input, journal },
          { ...file, identity: identities.get(file.name)! },
          all,
        );
      }
      return all;
    });
    const again = ledger.answered.filter(({ post }) => post.key !== undefined);
    await goesOn(data, async (site) => {
      const before = site.status().accepted;
      mustHold(site.status().accountsHold, 'the accounts do not hold');
      if (again.length > 0) {
        const { post, receipt } = random.pick(again);
        const answer = await site.post(bodyOf(post, startMs), { 'idempotency-key': post.key! });
        mustHold(
          answer.status === 202 && answer.body.receipt === receipt,
          `a repeated post is answered with ${answer.status} and ${answer.body.receipt}, not ${receipt}`,
        );
        mustHold(site.status().accepted === before, 'a repeated post was stored again');
      }
      const answer = await site.post([{ asset: 'new', t: startMs, values: { value: -1 } }]);
      mustHold(answer.status === 202, `a new post is answered with ${answer.status}`);
      await until(() => site.status().inFlight === 0, { what: 'all readings at the receiver' });
      const { applied } = site.receiver;
      const values = new Set(applied.map(({ value }) => value));
      mustHold(values.size === applied.length, 'a reading came to the receiver twice');
      const strange = [...values].filter((value) => value !== -1 && !found.has(value!));
      mustHold(strange.length === 0, `the receiver got ${strange[0]}, which was not stored`);
    });
  });
  const posts = ledger.sent.length;
  return { cuts, posts, operations: entries.length };
}

/** Content of the disk before the log begins. Gives the identity of each input file. */
function prepare(root: string, files: ReturnType<typeof inputFiles>): Map<string, string> {
  mkdirSync(path.join(root, 'data'), { recursive: true });
  mkdirSync(path.join(root, 'input'));
  const identities = files.map(({ name, content }): [string, string] => {
    const file = path.join(root, 'input', name);
    writeFileSync(file, content);
    const { dev, ino, size, mtimeMs } = statSync(file);
    return [name, `${dev}-${ino}-${size}-${Math.round(mtimeMs)}`];
  });
  return new Map(identities);
}

async function goesOn(data: string, check: (site: Site) => Promise<void>): Promise<void> {
  let site: Site;
  try {
    site = await startSite({ folder: data });
  } catch (error) {
    throw new FaultFound(`ingest does not start: ${(error as Error).message}`);
  }
  try {
    await check(site);
    mustHold(site.fatal.length === 0, `ingest ended: ${site.fatal[0]?.message}`);
  } finally {
    await site.stop();
  }
}
