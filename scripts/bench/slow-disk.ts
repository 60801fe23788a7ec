import { shimEnvironment, shimUnavailable } from '../../test/faults/disk/shim.ts';
import { type Bench, onFreshSite } from './fresh-site.ts';
import type { Table } from './report.ts';
import { BATCHED, SINGLES, type SiteRun, STEADY, siteRun } from './site-runs.ts';

interface Point {
  syncMs: number;
  singles: SiteRun;
  steady: SiteRun;
  batched: SiteRun;
}

export interface SlowDisk {
  points: Point[];
  /** Why this could not be measured here. */
  unavailable?: string;
}

const SYNC_MS = [0, 5, 20];

/**
 * The same loads on disks whose sync takes so much longer: a layer between the modules and the C library adds the
 * delay to each fsync and fdatasync of ingest and of the forwarder. The hub does not sync its commits.
 */
export async function measureSlowDisk(bench: Bench): Promise<SlowDisk> {
  const unavailable = shimUnavailable();
  if (unavailable !== undefined) return { points: [], unavailable };
  const seconds = Math.max(2, bench.seconds / 3);
  const points: Point[] = [];
  for (const syncMs of SYNC_MS) {
    bench.say(`syncs that take ${syncMs} ms longer`);
    const environment = (folder: string): Record<string, Record<string, string>> => {
      const shim = shimEnvironment({ folder, syncDelayMs: syncMs });
      return syncMs === 0 ? {} : { ingest: shim, forwarder: shim };
    };
    const on = (load: typeof BATCHED): Promise<SiteRun> =>
      onFreshSite(bench, (site) => siteRun(site, { ...load, seconds, readings: 0 }), {
        environment,
      });
    points.push({
      syncMs,
      singles: await on(SINGLES),
      steady: await on(STEADY),
      batched: await on(BATCHED),
    });
  }
  return { points };
}

export function slowDiskTables({ points, unavailable }: SlowDisk): Table[] {
  const note =
    unavailable ??
    'The delay is added to every fsync and fdatasync of ingest and the forwarder. Posts that wait for the same sync share it, so throughput falls far less than the number of syncs does.';
  return [
    {
      title: 'Group commit on a slow disk',
      note,
      columns: [
        'added to each sync, ms',
        'single posts/s, 64 connections',
        'ack p50, ms',
        'ack p99, ms',
        'batched readings/s',
        'at 1,000/s: ack p50, ms',
        'applied p50, ms',
        'applied p99, ms',
      ],
      rows: points.map(({ syncMs, singles, steady, batched }) => [
        syncMs,
        singles.postsPerSecond,
        singles.ackMs.p50,
        singles.ackMs.p99,
        batched.appliedPerSecond,
        steady.ackMs.p50,
        steady.appliedMs.p50,
        steady.appliedMs.p99,
      ]),
    },
  ];
}
