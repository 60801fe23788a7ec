import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Bench, onFreshSite } from './fresh-site.ts';
import type { Plot } from './plot.ts';
import type { Table } from './report.ts';
import { type SiteRun, siteRun } from './site-runs.ts';
import { writeSquareModel } from './square-model.ts';

interface Point {
  value: number;
  run: SiteRun;
}

export interface Sweep {
  batch: Point[];
  assets: Point[];
  signals: Point[];
}

const BATCH = [1, 10, 100, 1_000, 10_000];
const ASSETS = [1, 100, 10_000];
const SIGNALS = [1, 8, 64];

/** One dimension after the other, all others as they usually are: 1,000 readings a post, 8 assets, 8 signals. */
export async function measureSweep(bench: Bench): Promise<Sweep> {
  const { say } = bench;
  const seconds = Math.max(2, bench.seconds / 3);
  const load = { rows: 1_000, connections: 4, rate: 0, seconds, readings: 0 };
  const batch: Point[] = [];
  for (const value of BATCH) {
    say(`${value} readings a post`);
    const connections = value === 1 ? 64 : value <= 100 ? 16 : 4;
    const rows = { ...load, rows: value, connections };
    batch.push({ value, run: await onFreshSite(bench, (site) => siteRun(site, rows)) });
  }
  const assets: Point[] = [];
  for (const value of ASSETS) {
    say(`${value} assets`);
    const many = { ...load, assets: value };
    assets.push({ value, run: await onFreshSite(bench, (site) => siteRun(site, many)) });
  }
  const signals: Point[] = [];
  for (const value of SIGNALS) {
    say(`${value} signals`);
    const model = mkdtempSync(path.join(tmpdir(), 'holdfast-model-'));
    writeSquareModel(model, value === 8 ? undefined : value);
    const wide = { ...load, signals: value };
    signals.push({
      value,
      run: await onFreshSite(bench, (site) => siteRun(site, wide), { model }),
    });
    rmSync(model, { recursive: true, force: true });
  }
  return { batch, assets, signals };
}

export function sweepTables({ batch, assets, signals }: Sweep): Table[] {
  const table = (title: string, name: string, points: Point[], note: string): Table => ({
    title,
    note,
    columns: [
      name,
      'applied readings/s',
      'values/s',
      'ack p50, ms',
      'ack p99, ms',
      'CPU µs a reading',
      'rows a message',
      'bytes written a byte',
    ],
    rows: points.map(({ value, run }) => [
      value,
      run.appliedPerSecond,
      run.appliedPerSecond * (name === 'signals' ? value : 8),
      run.ackMs.p50,
      run.ackMs.p99,
      run.cpuUs,
      run.rowsPerMessage,
      run.writtenPerByte,
    ]),
  });
  return [
    table(
      'Readings a post',
      'readings a post',
      batch,
      '8 assets of 8 signals, scored by the model of the pump loop in windows of 12 rows; 64 connections for single posts, 16 up to 100, then 4.',
    ),
    table(
      'Assets',
      'assets',
      assets,
      '1,000 readings a post, spread over the assets in turn. With 10,000 assets each of them comes in every tenth post, and a message holds about one row of each.',
    ),
    table(
      'Signals',
      'signals',
      signals,
      'A model that sums the squares of all signals, without a window, so that the width of a row is all that changes.',
    ),
  ];
}

export const sweepPlots = ({ batch }: Sweep): Plot[] => [
  {
    id: 'batch-size',
    title: 'Readings a second, by readings a post',
    x: { label: 'readings a post', log: true },
    y: { label: 'readings a second', log: true },
    series: [
      {
        name: 'acknowledged',
        points: batch.map(({ value, run }) => [value, run.acceptedPerSecond]),
      },
      { name: 'applied', points: batch.map(({ value, run }) => [value, run.appliedPerSecond]) },
    ],
  },
];
