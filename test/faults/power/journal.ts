import path from 'node:path';
import { Journal } from '@holdfast/journal';
import { cutPower } from '../disk/cuts.ts';
import { shimUnavailable } from '../disk/shim.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { JournalLedger } from './journal-ledger.ts';
import { PARTITIONS, readingOf, type Said } from './journal-workload.ts';
import { linesOf, recorded } from './recorded.ts';

const SUBJECT = path.join(import.meta.dirname, 'journal-subject.ts');
const DATABASE = 'packages/journal/src/database.ts';

export const powerJournal: Scenario = {
  name: 'power-journal',
  topic: 'power',
  fault:
    'The power is cut while a process appends to a journal, gives receipts, prunes, begins epochs and opens it anew; at each of many moments a disk is made up from what was synced and any part of what was not.',
  holds:
    'The journal opens, has every acknowledged reading at its position and every key with its answer, is receipted no further than it was told, reports no loss, and goes on.',
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
    {
      name: 'receipts-after-pruning',
      file: 'packages/journal/src/housekeeping.ts',
      find: '      table.saveReceipts(partitions);\n      return {',
      replace: '      return {',
    },
  ],
  unavailable: async () => shimUnavailable(),
  run,
};

async function run(round: Round): Promise<Counts> {
  const { size, seed, folder, signal } = round;
  const steps = size === 'short' ? 120 : 1_000;
  const entries = await recorded(round, SUBJECT, (disk) => [
    path.join(disk, 'journal.db'),
    String(seed),
    String(steps),
  ]);
  const ledger = new JournalLedger();
  const lines = linesOf(entries).map(({ line, at }) => ({ said: JSON.parse(line) as Said, at }));
  let taken = 0;
  const count = size === 'short' ? 250 : 2_500;
  const image = path.join(folder, 'image');
  const cuts = await cutPower({ entries, image, seed, count, signal }, ({ at }) => {
    for (; taken < lines.length && lines[taken]!.at <= at; taken += 1)
      ledger.take(lines[taken]!.said);
    const journal = open(image);
    try {
      const { salvage } = journal;
      mustHold(salvage === undefined, `it is taken for damaged: ${salvage?.reason}`);
      ledger.check(journal);
      goesOn(journal);
    } finally {
      journal.close();
    }
  });
  return { cuts, steps, operations: entries.length };
}

function open(folder: string): Journal {
  try {
    return Journal.open({
      path: path.join(folder, 'journal.db'),
      partitions: PARTITIONS,
      streamPrefix: 's',
      // The first epochs of a journal that was not made yet when the power was cut.
      newEpoch: (() => {
        let epochs = 0;
        return () => `epoch-${epochs++}`;
      })(),
      wallMs: () => 1_000,
      lookbackSpan: 64,
    });
  } catch (error) {
    throw new FaultFound(`the journal does not open: ${(error as Error).message}`);
  }
}

function goesOn(journal: Journal): void {
  const reading = readingOf(1);
  const before = journal.streams[journal.partitionOf(reading.asset)]!.appended;
  const [position] = journal.append([reading]);
  mustHold(position!.seq === before + 1, `the next row is ${position!.seq}, not ${before + 1}`);
}
