import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MESSAGE_BYTES_MAX } from '@holdfast/contracts';
import { Journal, type JournalReading } from '@holdfast/journal';

/**
 * Goal: what the journal itself costs, beside which the figures of the whole flow can be read. Method: one journal in
 * a temporary folder on the disk that `TMPDIR` names, readings of 34 assets with 8 signals of one to five decimals.
 * A reading counts as 72 bytes: time and 8 values of 8 bytes.
 */
const SIGNALS = [
  'Current1',
  'Current2',
  'Vibration1',
  'Vibration2',
  'Pressure',
  'Temperature',
  'Voltage',
  'Flow',
];
const READING_BYTES = 8 * (SIGNALS.length + 1);
const ASSETS = 34;
const PARTITIONS = 4;
const T0 = Date.UTC(2026, 0, 1);

const round = (value: number): number => Math.round(value);

export async function benchJournal(): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const [rows, commits] of [
    [1, 2_000],
    [100, 1_000],
    [1_000, 400],
  ] as const) {
    inJournal((journal) => {
      const figure = appendRate(journal, rows, commits);
      figures[`append ${rows} a commit, rows/s`] = figure;
      if (rows === 1) figures['read backlog of 1 row a commit, rows/s'] = readRate(journal, 0);
      if (rows === 1_000) {
        figures['read backlog of 1,000 rows a commit, rows/s'] = readRate(journal, 0);
        journal.setLookback(10);
        figures['read the same with lookback 10, rows/s'] = readRate(journal, 10);
        figures['use of the message size, %'] = messageUse(journal);
      }
    });
  }
  inJournal((journal) => {
    figures['stored, bytes a reading byte'] = storedRatio(journal);
  });
  for (const [name, lookback] of [
    ['written', 0],
    ['written with lookback 10', 10],
  ] as const) {
    inJournal((journal) => {
      const ratio = writtenRatio(journal, lookback);
      if (ratio !== undefined) figures[`${name}, bytes a reading byte`] = ratio;
    });
  }
  return figures;
}

function inJournal(work: (journal: Journal) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-journal-bench-'));
  let epochs = 0;
  const journal = Journal.open({
    path: join(folder, 'journal.db'),
    partitions: PARTITIONS,
    streamPrefix: 'bench',
    newEpoch: () => `epoch-${epochs++}`,
    wallMs: () => Date.now(),
  });
  try {
    work(journal);
  } finally {
    journal.close();
    rmSync(folder, { recursive: true });
  }
}

/** Made before the clock runs. Each reading has its own array of names, as a parsed request would. */
function readings(count: number): JournalReading[] {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: count }, (_, index) => ({
    asset: `pump-${index % ASSETS}`,
    signals: [...SIGNALS],
    t: T0 + Math.floor(index / ASSETS) * 1_000,
    values: SIGNALS.map((_signal, signal) => {
      const scale = 10 ** (1 + (signal % 5));
      return Math.round(random() * 100 * scale) / scale;
    }),
  }));
}

function appendRate(journal: Journal, rows: number, commits: number): number {
  const batches = Array.from({ length: 20 }, () => readings(rows));
  const start = performance.now();
  for (let commit = 0; commit < commits; commit += 1) journal.append(batches[commit % 20]!);
  return round((rows * commits * 1_000) / (performance.now() - start));
}

function readRate(journal: Journal, lookback: number): number {
  const start = performance.now();
  let rows = 0;
  for (const { partition, receipted } of journal.streams) {
    let after = receipted;
    for (;;) {
      const batch = journal.readBatch(partition, { after, bytesMax: MESSAGE_BYTES_MAX, lookback });
      if (batch === undefined) break;
      after = batch.last;
      rows += batch.last - batch.first + 1;
    }
  }
  return round((rows * 1_000) / (performance.now() - start));
}

function messageUse(journal: Journal): number {
  const { stream, epoch } = journal.streams[0]!;
  const batch = journal.readBatch(0, { after: 0, bytesMax: MESSAGE_BYTES_MAX, lookback: 0 })!;
  const message = { v: 1, kind: 'readings', stream, epoch, lookback: 0, ...batch };
  return round((100 * Buffer.byteLength(JSON.stringify(message))) / MESSAGE_BYTES_MAX);
}

function storedRatio(journal: Journal): number {
  const rows = readings(250);
  for (let commit = 0; commit < 200; commit += 1) journal.append(rows);
  const { readings: count, bytes } = journal.backlog();
  return round((100 * bytes) / (count * READING_BYTES)) / 100;
}

/** Steady state: receipts follow 20,000 rows behind, everything is read once. Undefined where the system does not tell. */
function writtenRatio(journal: Journal, lookback: number): number | undefined {
  const before = bytesWritten();
  if (before === undefined) return undefined;
  journal.setLookback(lookback);
  const rows = readings(250);
  const commits = 4_000;
  for (let commit = 0; commit < commits; commit += 1) {
    journal.append(rows);
    for (const { partition, appended } of journal.streams) {
      const through = appended - 20_000 / PARTITIONS;
      if (through > 0) journal.receipt(partition, through);
    }
    if (commit % 100 === 99) journal.prune();
  }
  return round((100 * (bytesWritten()! - before)) / (commits * 250 * READING_BYTES)) / 100;
}

function bytesWritten(): number | undefined {
  try {
    const text = readFileSync('/proc/self/io', 'utf8');
    return Number(/^write_bytes: (\d+)$/m.exec(text)?.[1]);
  } catch {
    return undefined;
  }
}

if (import.meta.main) console.log(await benchJournal());
