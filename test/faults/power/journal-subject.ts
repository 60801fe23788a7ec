/** The process whose power is cut: `node journal-subject.ts <journal> <seed> <steps>`. */
import { writeSync } from 'node:fs';
import { Journal } from '@holdfast/journal';
import {
  keyResult,
  PARTITIONS,
  readingsOf,
  type Said,
  type Step,
  stepsOf,
} from './journal-workload.ts';

const [path, seed, count] = process.argv.slice(2) as [string, string, string];
let epochs = 0;
const nextEpoch = (): string => `epoch-${epochs}`;
const open = (): Journal =>
  Journal.open({
    path,
    partitions: PARTITIONS,
    streamPrefix: 's',
    newEpoch: () => `epoch-${epochs++}`,
    wallMs: () => 1_000,
    lookbackSpan: 64,
    freeBytesMax: 256 * 1024,
    // A small one is copied into the file often: that is where the order of syncs matters.
    ...(Number(seed) % 4 === 0 ? {} : { logBytes: 384 * 1024 }),
  });
const say = (said: Said): void => void writeSync(1, `${JSON.stringify(said)}\n`);

let journal = open();
for (const step of stepsOf(Number(seed), Number(count))) run(step);
journal.close();

function run(step: Step): void {
  switch (step.do) {
    case 'append': {
      say({ before: step });
      journal.appendAll(
        step.entries.map((entry) => {
          const { key: id, from } = entry;
          const readings = readingsOf(entry);
          if (id === undefined) return { readings };
          return { readings, key: { id, digest: `digest of ${id}`, result: keyResult(id, from) } };
        }),
      );
      break;
    }
    case 'receipt': {
      const { receipted, appended } = journal.streams[step.partition]!;
      const through = receipted + Math.floor((appended - receipted) * step.share);
      say({ before: step, through });
      journal.receipt(step.partition, through);
      break;
    }
    case 'epoch':
      say({ before: step, epoch: nextEpoch() });
      journal.startEpoch(step.partition);
      break;
    case 'lookback':
      say({ before: step });
      journal.setLookback(step.rows);
      break;
    case 'prune':
      say({ before: step });
      journal.prune();
      break;
    case 'reopen':
      say({ before: step });
      journal.close();
      journal = open();
      break;
  }
  say({ after: step.do });
}
