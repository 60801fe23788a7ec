import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { Journal, type JournalReading } from '@holdfast/journal';

const SIGNALS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const ASSETS = 32;
const PARTITIONS = 4;
const LOOKBACK = 11;
const FILL_ROWS = 8_000;
const COMMITS = 100;
const ROWS = 1_000;

export interface JournalBacklogFigures {
  readings: number;
  openMs: number;
  /** Each a reading, in commits of 1,000 and messages as large as they may be. */
  appendUs: number;
  readUs: number;
  receiptUs: number;
}

/** What a reading costs in the journal while so many wait without receipt. One journal, filled further for each size. */
export function benchJournalBacklog(
  sizes: readonly number[],
  say: (line: string) => void,
): JournalBacklogFigures[] {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-backlog-'));
  let epochs = 0;
  const open = (): Journal =>
    Journal.open({
      path: join(folder, 'journal.db'),
      partitions: PARTITIONS,
      streamPrefix: 'bench',
      newEpoch: () => `epoch-${epochs++}`,
      wallMs: () => Date.now(),
    });
  const figures = sizes.map((readings) => {
    say(`journal with ${readings} readings waiting`);
    let journal = open();
    journal.setLookback(LOOKBACK);
    const rows = rowsOf(FILL_ROWS);
    while (journal.backlog().readings + FILL_ROWS <= readings) journal.append(rows);
    journal.close();
    const startedAt = performance.now();
    journal = open();
    const openMs = performance.now() - startedAt;
    const figure = { readings, openMs, ...measure(journal) };
    journal.close();
    return figure;
  });
  rmSync(folder, { recursive: true });
  return figures;
}

/** Appends, reads as much from the oldest on, receipts that. */
function measure(journal: Journal): Omit<JournalBacklogFigures, 'readings' | 'openMs'> {
  const rows = rowsOf(ROWS);
  const appendMs = timed(() => {
    for (let commit = 0; commit < COMMITS; commit += 1) journal.append(rows);
  });
  const through: number[] = journal.streams.map(({ receipted }) => receipted);
  let read = 0;
  const readMs = timed(() => {
    while (read < COMMITS * ROWS) {
      for (const { partition } of journal.streams) {
        const after = through[partition]!;
        const options = { after, bytesMax: MESSAGE_BYTES_MAX, lookback: LOOKBACK };
        const batch = journal.readBatch(partition, options);
        if (batch === undefined) continue;
        through[partition] = batch.last;
        read += batch.last - batch.first + 1;
      }
    }
  });
  const receiptMs = timed(() => {
    for (const [partition, last] of through.entries()) journal.receipt(partition, last);
    journal.prune();
  });
  return {
    appendUs: (appendMs * 1_000) / (COMMITS * ROWS),
    readUs: (readMs * 1_000) / read,
    receiptUs: (receiptMs * 1_000) / read,
  };
}

function timed(work: () => void): number {
  const startedAt = performance.now();
  work();
  return performance.now() - startedAt;
}

function rowsOf(count: number): JournalReading[] {
  return Array.from({ length: count }, (_, index) => ({
    asset: `pump-${index % ASSETS}`,
    signals: SIGNALS,
    t: Date.UTC(2026, 0, 1) + Math.floor(index / ASSETS) * 1_000,
    values: SIGNALS.map((_signal, signal) => ((index * 7919 + signal * 104_729) % 100_000) / 1_000),
  }));
}
