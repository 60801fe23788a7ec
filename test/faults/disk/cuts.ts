import { type Seeded, seeded } from '@holdfast/testkit';
import { FaultFound } from '../scenario.ts';
import type { LogEntry } from './log.ts';
import { Disk, freshImage } from './replay.ts';

export interface CutOptions {
  entries: readonly LogEntry[];
  /** Content of the disk before the log. */
  start?: string;
  /** Where images are written, one at a time; a folder of the tester's own. */
  image: string;
  seed: number;
  /** Images in all. */
  count: number;
  /** First place of a cut in the log. @default 0 */
  from?: number;
  signal?: AbortSignal;
}

/** What is known of the moment of a cut. */
export interface Cut {
  /** How many entries of the log came before it. */
  at: number;
  folder: string;
  /** Random for this cut alone, so that a check may choose too. */
  random: Seeded;
}

/**
 * Cuts the power at many places of a recorded run, and has each disk checked that could be found there. A third of
 * the places follow right after something left the process: then most is promised. A third come right before a sync:
 * then most can be lost. Gives the number of images.
 * @throws FaultFound with the place in it, when `check` throws one
 */
export async function cutPower(
  options: CutOptions,
  check: (cut: Cut) => Promise<void> | void,
): Promise<number> {
  const { entries, image, seed, signal } = options;
  const disk = new Disk(options.start);
  let applied = 0;
  let images = 0;
  for (const at of placesOf(options)) {
    if (signal?.aborted === true) break;
    for (; applied < at; applied += 1) disk.apply(entries[applied]!);
    const random = seeded(seed * 1_000_003 + images * 7_919 + at);
    const { names, data } = freshImage(disk, image, random);
    images += 1;
    try {
      await check({ at, folder: image, random });
    } catch (error) {
      if (!(error instanceof FaultFound)) throw error;
      const after = describe(entries[at - 1]);
      throw new FaultFound(
        `power cut ${images} of ${options.count}, after entry ${at} of ${entries.length} (${after}), names ${names}, data ${data}: ${error.message}`,
      );
    }
  }
  return images;
}

/** In ascending order, so that the log is gone through once. */
function placesOf({ entries, seed, count, from = 0 }: CutOptions): number[] {
  const random = seeded(seed);
  const outputs: number[] = [];
  const syncs: number[] = [];
  for (let at = from; at < entries.length; at += 1) {
    const { kind } = entries[at]!;
    if (kind === 'output') outputs.push(at + 1);
    else if (kind === 'sync') syncs.push(at);
  }
  const places = Array.from({ length: count }, (_, index) => {
    const chosen = [outputs, syncs, []][index % 3]!;
    return chosen.length > 0 ? random.pick(chosen) : random.int(from, entries.length);
  });
  return places.sort((a, b) => a - b);
}

function describe(entry: LogEntry | undefined): string {
  if (entry === undefined) return 'the start';
  const { kind } = entry;
  if (kind === 'write') return `a write of ${entry.data.length} bytes at ${entry.offset}`;
  if (kind === 'output') return `output ${JSON.stringify(String(entry.data).slice(0, 80))}`;
  if ('path' in entry) return `${kind} ${entry.path}`;
  if ('from' in entry) return `${kind} ${entry.from} ${entry.to}`;
  return kind;
}
