import { cpus } from 'node:os';
import { type Bench, onFreshSite } from './fresh-site.ts';
import { percent, type Table } from './report.ts';
import { BATCHED, SINGLES, type SiteRun, STEADY, siteRun } from './site-runs.ts';

export interface WholePath {
  batched: SiteRun;
  singles: SiteRun;
  steady: SiteRun;
}

/** Targets of the design for two cores, 8 signals a reading, everything durable. */
const TARGETS = {
  batched: 100_000,
  singles: 15_000,
  p50Ms: 15,
  p99Ms: 50,
  written: 3,
  memoryMb: 150,
  inferenceMb: 250,
};

/** A whole site, one process a module, hub over TLS, a new one for each load. */
export async function measureWholePath(bench: Bench): Promise<WholePath> {
  const { seconds, say } = bench;
  const on = (name: string, load: typeof BATCHED): Promise<SiteRun> => {
    say(`${name}, ${seconds} s`);
    return onFreshSite(bench, async (site) => {
      // A process that has just started has not been compiled yet.
      await siteRun(site, { ...load, seconds: Math.min(3, seconds), readings: 0 });
      return siteRun(site, { ...load, seconds, readings: 0 });
    });
  };
  return {
    batched: await on('batched posts as fast as they go', BATCHED),
    singles: await on('single posts as fast as they go', SINGLES),
    steady: await on('1,000 readings a second', STEADY),
  };
}

/** Readings a second if every microsecond of every core were spent on them. */
const coresAllow = ({ cpuUs, loadCpuUs }: SiteRun): number =>
  (cpus().length * 1e6) / (cpuUs + loadCpuUs);

/** @param slowest readings a second of the slowest stage alone, when that was measured in the same run */
export function wholePathTables(
  { batched, singles, steady }: WholePath,
  slowest: number | undefined,
): Table[] {
  const most = (value: number, target: number): string =>
    value <= target ? 'met' : `${percent(value, target)} of what is allowed`;
  const modules = batched.modules.filter(({ id }) => !id.startsWith('edge'));
  const memory = (id: string): number =>
    modules.find((module) => module.id === id)?.peakMb ?? Number.NaN;
  const largest = Math.max(memory('ingest'), memory('forwarder'));
  return [
    {
      title: 'The whole path against its targets',
      note: "From POST to an insight in the forwarder's database. The load generator runs on the same cores.",
      columns: ['what', 'measured', 'unit', 'target', 'reached'],
      rows: [
        [
          'batched sources, reading to applied insight',
          batched.appliedPerSecond,
          'readings/s',
          TARGETS.batched,
          percent(batched.appliedPerSecond, TARGETS.batched),
        ],
        [
          'single posts, each durable before its 202',
          singles.postsPerSecond,
          'posts/s',
          TARGETS.singles,
          percent(singles.postsPerSecond, TARGETS.singles),
        ],
        [
          'accepted to applied at 1,000 readings/s, p50',
          steady.appliedMs.p50,
          'ms',
          TARGETS.p50Ms,
          most(steady.appliedMs.p50, TARGETS.p50Ms),
        ],
        [
          'accepted to applied at 1,000 readings/s, p99',
          steady.appliedMs.p99,
          'ms',
          TARGETS.p99Ms,
          most(steady.appliedMs.p99, TARGETS.p99Ms),
        ],
        [
          'bytes written to disk a byte of reading',
          batched.writtenPerByte,
          '',
          TARGETS.written,
          most(batched.writtenPerByte, TARGETS.written),
        ],
        [
          'resident memory of ingest or forwarder, highest',
          largest,
          'MB',
          TARGETS.memoryMb,
          most(largest, TARGETS.memoryMb),
        ],
        [
          'resident memory of inference, highest',
          memory('inference'),
          'MB',
          TARGETS.inferenceMb,
          most(memory('inference'), TARGETS.inferenceMb),
        ],
        ...(slowest === undefined
          ? []
          : [
              [
                'batched, against the slowest stage alone',
                batched.appliedPerSecond,
                'readings/s',
                slowest,
                percent(batched.appliedPerSecond, slowest),
              ],
            ]),
      ],
    },
    {
      title: 'Where the processor time goes',
      note: 'Microseconds of one core a reading, user and system.',
      columns: [
        'process',
        'batched',
        'single posts',
        'memory peak, MB',
        'loop delay p99, ms',
        'bytes written a byte',
      ],
      rows: [
        ...batched.modules.map(({ id, cpuUs, peakMb, loopDelayMs, written }, index) => [
          id,
          cpuUs,
          singles.modules[index]?.cpuUs ?? null,
          peakMb,
          loopDelayMs,
          written / batched.bodyBytes,
        ]),
        ['load generator', batched.loadCpuUs, singles.loadCpuUs, null, null, null],
        [
          'all',
          batched.cpuUs + batched.loadCpuUs,
          singles.cpuUs + singles.loadCpuUs,
          null,
          null,
          batched.writtenPerByte,
        ],
        [
          'readings/s that the cores allow',
          coresAllow(batched),
          coresAllow(singles),
          null,
          null,
          null,
        ],
        ['rows in a message', batched.rowsPerMessage, singles.rowsPerMessage, null, null, null],
      ],
    },
    {
      title: 'Time to the acknowledgement, and to the insight',
      columns: [
        'load',
        'readings/s',
        'ack p50, ms',
        'ack p99, ms',
        'applied p50, ms',
        'applied p99, ms',
      ],
      rows: [
        [
          '1,000 single readings a second, 16 connections',
          steady.acceptedPerSecond,
          steady.ackMs.p50,
          steady.ackMs.p99,
          steady.appliedMs.p50,
          steady.appliedMs.p99,
        ],
        [
          'single readings, 64 connections',
          singles.acceptedPerSecond,
          singles.ackMs.p50,
          singles.ackMs.p99,
          singles.appliedMs.p50,
          singles.appliedMs.p99,
        ],
        [
          '1,000 readings a post, 4 connections',
          batched.acceptedPerSecond,
          batched.ackMs.p50,
          batched.ackMs.p99,
          null,
          null,
        ],
      ],
    },
  ];
}
