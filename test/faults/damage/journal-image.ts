/** Journals as a crash or an orderly end leaves them, with everything that was ever written into them. */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Journal, type JournalReading } from '@holdfast/journal';
import type { Seeded } from '@holdfast/testkit';

export const T0 = Date.UTC(2026, 0, 1);

/** Files of a journal that damage can hit. */
export const FILES = { db: 'journal.db', wal: 'journal.db-wal', mark: 'journal.db-mark' } as const;
export type FileOf = keyof typeof FILES;

export interface ImageStream {
  epoch: string;
  /** Identity of every row ever appended; index 0 is number 1. */
  values: number[];
  /** What ingest knows to be applied, and what is: the receipt of the rest was still under way. */
  receipted: number;
  applied: number;
}

export interface JournalImage {
  folder: string;
  /** The log is there, as after SIGKILL. */
  hot: boolean;
  streams: ImageStream[];
  keys: Map<string, string>;
  /** Rows of the largest append: no chunk is larger. */
  largest: number;
}

let epochs = 0;
let nextValue = 0;

export const openJournal = (folder: string, partitions: number): Journal =>
  Journal.open({
    path: join(folder, FILES.db),
    partitions,
    streamPrefix: 'ingest',
    newEpoch: () => {
      epochs += 1;
      return `e${epochs.toString(16).padStart(15, '0')}`;
    },
    wallMs: () => T0,
  });

/** Rows of several assets, each with a value that no other row has. */
export function someReadings(random: Seeded, count: number): JournalReading[] {
  return Array.from({ length: count }, () => {
    nextValue += 1;
    const asset = `asset-${random.int(1, 9)}`;
    const noise = random.chance(0.5) ? random.next() : null;
    return { asset, signals: ['id', 'noise'], t: T0 + nextValue, values: [nextValue, noise] };
  });
}

/** Writes a journal with rows in the file and in the log, some of them receipted and pruned. */
export function anImage(random: Seeded, folder: string): JournalImage {
  mkdirSync(folder, { recursive: true });
  const live = `${folder}-live`;
  mkdirSync(live, { recursive: true });
  const partitions = random.pick([1, 2, 4]);
  const hot = random.chance(0.7);
  let journal = openJournal(live, partitions);
  const image: JournalImage = {
    ...{ folder, hot, keys: new Map(), largest: 0 },
    streams: journal.streams.map(({ epoch }) => ({ epoch, values: [], receipted: 0, applied: 0 })),
  };
  if (random.chance(0.3)) journal.setLookback(5);
  write(journal, image, random);
  if (random.chance(0.8)) {
    journal.close();
    journal = openJournal(live, partitions);
    write(journal, image, random);
  }
  if (!hot) journal.close();
  for (const file of Object.values(FILES)) {
    if (existsSync(join(live, file))) copyFileSync(join(live, file), join(folder, file));
  }
  journal.close();
  rmSync(live, { recursive: true });
  return image;
}

function write(journal: Journal, image: JournalImage, random: Seeded): void {
  const steps = random.int(5, 60);
  const large = random.chance(0.2);
  for (let step = 0; step < steps; step += 1) {
    const size = large && random.chance(0.1) ? random.int(1_000, 6_000) : random.int(1, 40);
    const rows = someReadings(random, size);
    image.largest = Math.max(image.largest, size);
    const id = `key-${nextValue}`;
    if (random.chance(0.3)) {
      journal.append(rows, { id, digest: `digest of ${id}`, result: `result of ${id}` });
      image.keys.set(id, `result of ${id}`);
    } else journal.append(rows);
    for (const { asset, values } of rows) {
      image.streams[journal.partitionOf(asset)]!.values.push(values[0] as number);
    }
    if (random.chance(0.3)) receive(journal, image, random);
    if (random.chance(0.1)) journal.prune();
  }
}

/** The forwarder goes on, and some of its receipts arrive. */
function receive(journal: Journal, image: JournalImage, random: Seeded): void {
  image.streams.forEach((stream, partition) => {
    stream.applied = random.int(stream.applied, stream.values.length);
    if (random.chance(0.3)) return;
    stream.receipted = random.int(stream.receipted, stream.applied);
    journal.receipt(partition, stream.receipted);
  });
}
