import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@holdfast/testkit';
import { bytesWritten, cpuSeconds, memoryMb } from '../../../scripts/bench/measure.ts';
import { Ledger, type Tally } from './ledger.ts';
import { Load, type LoadOptions } from './load.ts';
import type { Peer, RunningPeer } from './peer.ts';

export interface Speed {
  /** Readings a second that came into the store under full load, one in a message. */
  singlesPerSecond: number;
  /** The same with `BATCH_ROWS` in a message. */
  batchedPerSecond: number;
  /** What was acknowledged in the same time, singles and batches: more than that where it waits on its way to the store. */
  acknowledgedPerSecond: { singles: number; batched: number };
  /** Time to the acknowledgement of one reading, at `MODEST_RATE`. */
  latencyMs: { p50: number; p99: number };
  /** CPU seconds of all its processes for a million readings in batches. */
  cpuPerMillion: number;
  /** Highest resident memory of all its processes together. */
  memoryMb: number;
  /** Bytes written to disk for a reading in batches. */
  writtenPerReading: number;
  /** Over all runs of this measurement, where nothing was killed and nothing full. */
  tally: Tally;
}

export const SINGLES_AT_ONCE = 64;
export const BATCH_ROWS = 200;
export const BATCHES_AT_ONCE = 4;
/** Readings a second. */
export const MODEST_RATE = 200;

/** All that moves has arrived when nothing has changed for so long: longer than any peer waits before it writes. */
const CALM_MS = 2_500;
const LOOK_MS = 50;

/** Waits until nothing more arrives in the store. */
export async function settle(peer: RunningPeer, calmMs = CALM_MS): Promise<void> {
  let last: number | undefined;
  let changedAt = performance.now();
  while (performance.now() - changedAt < calmMs) {
    const now = await peer.storedSoFar();
    if (now !== last) changedAt = performance.now();
    last = now;
    await sleep(LOOK_MS);
  }
}

interface Run {
  load: Load;
  ledger: Ledger;
  /** Numbers from `first` to below `next` were sent. */
  first: number;
  next: number;
  /** Readings that came into the store while the load ran. */
  perSecond: number;
  acknowledgedPerSecond: number;
}

/** Throughput with single readings and with batches, then the time to an acknowledgement at a modest rate. */
export async function measureSpeed(
  peer: RunningPeer,
  options: { seconds: number } & Pick<Peer, 'calmMs' | 'aheadMax'>,
): Promise<Speed> {
  const source = peer.source();
  const runs: Run[] = [];
  const run = async (what: Pick<LoadOptions, 'rows' | 'atOnce' | 'rate'>): Promise<Run> => {
    const ledger = new Ledger();
    const first = runs.at(-1)?.next ?? 0;
    const max = what.rows === 1 ? options.aheadMax?.singles : options.aheadMax?.batched;
    const ahead =
      max === undefined || what.rate > 0
        ? undefined
        : { most: max, stored: () => peer.storedSoFar() };
    const before = await count(peer);
    const startedAt = performance.now();
    const load = new Load({ source, ledger, first, ahead, ...what });
    await sleep(options.seconds * 1000);
    const stored = (await count(peer)) - before;
    const seconds = (performance.now() - startedAt) / 1000;
    const perSecond = stored / seconds;
    const acknowledgedPerSecond = ledger.acknowledged / seconds;
    await load.stop();
    await settle(peer, options.calmMs);
    const done = { load, ledger, first, next: load.next, perSecond, acknowledgedPerSecond };
    runs.push(done);
    return done;
  };
  // Not counted: connections, caches and compilers warm up.
  await run({ rows: 1, atOnce: 8, rate: MODEST_RATE });
  const singles = await run({ rows: 1, atOnce: SINGLES_AT_ONCE, rate: 0 });
  const before = used(peer);
  const batched = await run({ rows: BATCH_ROWS, atOnce: BATCHES_AT_ONCE, rate: 0 });
  const after = used(peer);
  const modest = await run({ rows: 1, atOnce: 16, rate: MODEST_RATE });
  await source.close();
  const stored = [...(await peer.stored(modest.next))];
  const kept = (one: Run): number => {
    const { acknowledged, lost } = tallyOf(one, stored);
    return acknowledged - lost;
  };
  return {
    singlesPerSecond: singles.perSecond,
    batchedPerSecond: batched.perSecond,
    acknowledgedPerSecond: {
      singles: singles.acknowledgedPerSecond,
      batched: batched.acknowledgedPerSecond,
    },
    latencyMs: { p50: modest.load.latencyMs(0.5), p99: modest.load.latencyMs(0.99) },
    cpuPerMillion: ((after.cpu - before.cpu) / kept(batched)) * 1e6,
    memoryMb: after.memory,
    writtenPerReading: (after.written - before.written) / kept(batched),
    tally: sumOf(runs.map((one) => tallyOf(one, stored))),
  };
}

const count = (peer: RunningPeer): Promise<number> =>
  until(async () => {
    const rows = await peer.storedSoFar();
    return rows === undefined ? undefined : { rows };
  }).then(({ rows }) => rows);

const tallyOf = ({ ledger, first, next }: Run, stored: readonly number[]): Tally =>
  ledger.compare(stored.filter((n) => n >= first && n < next));

function sumOf(tallies: readonly Tally[]): Tally {
  const total: Tally = { acknowledged: 0, stored: 0, lost: 0, doubled: 0, unacknowledged: 0 };
  for (const tally of tallies) {
    for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key];
  }
  return total;
}

function used(peer: RunningPeer): { cpu: number; written: number; memory: number } {
  const total = { cpu: 0, written: 0, memory: 0 };
  for (const { pid } of peer.processes()) {
    total.cpu += cpuSeconds(pid);
    total.written += bytesWritten(pid);
    total.memory += memoryMb(pid).peak;
  }
  return total;
}
