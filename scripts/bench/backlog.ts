import { benchOutbox, type OutboxFigures } from '../../modules/forwarder/bench/backlog.bench.ts';
import {
  benchJournalBacklog,
  type JournalBacklogFigures,
} from '../../packages/journal/bench/backlog.bench.ts';
import { type Bench, onFreshSite } from './fresh-site.ts';
import type { Plot } from './plot.ts';
import type { Table } from './report.ts';
import { backlogRun } from './site-runs.ts';

export interface Backlog {
  journal: JournalBacklogFigures[];
  outbox: OutboxFigures[];
  site: Awaited<ReturnType<typeof backlogRun>>;
}

const JOURNAL = [0, 100_000, 1_000_000, 10_000_000];
/** A record is a minute of an asset, 60 readings at 1 Hz; the default cap of 1 GiB holds about two million. */
const OUTBOX = [0, 100_000, 1_000_000];
const SITE = 1_000_000;

/** Shorter when `quick`, by leaving out the largest sizes. */
export async function measureBacklog(bench: Bench, quick: boolean): Promise<Backlog> {
  const cut = (sizes: number[]): number[] => (quick ? sizes.slice(0, -1) : sizes);
  const journal = benchJournalBacklog(cut(JOURNAL), bench.say);
  const outbox = await benchOutbox(cut(OUTBOX), bench.say);
  const readings = quick ? SITE / 10 : SITE;
  bench.say(`a site with ${readings} readings waiting, then scored`);
  const site = await onFreshSite(bench, (fresh) => backlogRun(fresh, readings));
  return { journal, outbox, site };
}

export function backlogTables({ journal, outbox, site }: Backlog): Table[] {
  return [
    {
      title: 'Journal of ingest: cost of a reading, by readings without receipt',
      note: 'Commits of 1,000 readings of 8 signals; read in whole messages with 11 rows of lookback from the oldest on; receipt includes pruning.',
      columns: ['readings waiting', 'append, µs', 'read, µs', 'receipt, µs', 'open, ms'],
      rows: journal.map((row) => [
        row.readings,
        row.appendUs,
        row.readUs,
        row.receiptUs,
        row.openMs,
      ]),
    },
    {
      title: 'Database of the forwarder: cost of a message, by records that wait for upload',
      note: 'Messages of 2,700 rows of 8 assets, one durable transaction each. A record is a minute of an asset, so a million records stand for 60 million readings at 1 Hz.',
      columns: ['records waiting', 'apply, ms a message', 'µs a reading', 'start, ms'],
      rows: outbox.map((row) => [
        row.records,
        row.applyMs,
        (row.applyMs * 1_000) / 2_700,
        row.startMs,
      ]),
    },
    {
      title: `A whole site that has let ${site.readings.toLocaleString('en-US')} readings wait`,
      note: `Inference is stopped meanwhile. Then they are scored and applied at ${Math.round(site.drainPerSecond).toLocaleString('en-US')} readings/s.`,
      columns: ['process', 'resident, MB', 'highest, MB'],
      rows: site.modules.map(({ id, memoryMb, peakMb }) => [id, memoryMb, peakMb]),
    },
  ];
}

export const backlogPlots = ({ journal }: Backlog): Plot[] => [
  {
    id: 'backlog',
    title: 'Cost of a reading in the journal, by readings that wait',
    x: { label: 'readings without receipt', log: true },
    y: { label: 'microseconds a reading' },
    series: [
      { name: 'append', points: journal.map((row) => [row.readings, row.appendUs]) },
      { name: 'read', points: journal.map((row) => [row.readings, row.readUs]) },
      { name: 'receipt', points: journal.map((row) => [row.readings, row.receiptUs]) },
    ],
  },
];
