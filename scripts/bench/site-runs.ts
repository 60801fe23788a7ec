import type { Site } from '../demo/site.ts';
import { type ForwarderStatus, type IngestStatus, readStatus } from '../demo/status.ts';
import type { LoadOptions } from './load.ts';
import { bytesWritten, cpuSeconds, memoryMb, runLoad } from './measure.ts';

export interface ModuleFigures {
  id: string;
  memoryMb: number;
  peakMb: number;
  /** Processor time a reading. */
  cpuUs: number;
  loopDelayMs: number;
  /** Bytes. */
  written: number;
}

/** What one load on a site has shown, from the first post until the last reading is applied. */
export interface SiteRun {
  posts: number;
  readings: number;
  /** While the load ran. */
  postsPerSecond: number;
  acceptedPerSecond: number;
  /** Over the whole time. */
  appliedPerSecond: number;
  /** From request to acknowledgement. */
  ackMs: { p50: number; p99: number };
  /** From accepted to applied, of the newest readings. */
  appliedMs: { p50: number; p99: number };
  /** Bytes written to disk by all processes for each byte of a request body. */
  writtenPerByte: number;
  bodyBytes: number;
  /** Processor time of all processes of the site, and of the load generator, a reading. */
  cpuUs: number;
  loadCpuUs: number;
  /** Rows in a message on average. */
  rowsPerMessage: number;
  modules: ModuleFigures[];
}

/** How often the books are looked at while the last readings pass. */
const CALM_MS = 50;

export const BATCHED = { rows: 1_000, connections: 4, rate: 0 };
export const SINGLES = { rows: 1, connections: 64, rate: 0 };
export const STEADY = { rows: 1, connections: 16, rate: 1_000 };

type Load = Omit<LoadOptions, 'port' | 'token'>;

/** Puts a load on a site and waits until everything is applied. */
export async function siteRun(site: Site, load: Load): Promise<SiteRun> {
  const before = figuresOf(site);
  const messagesBefore = await messagesApplied(site);
  const startedAt = performance.now();
  const result = await runLoad({ ...load, port: portOf(site), token: site.token });
  await untilApplied(site);
  const seconds = (performance.now() - startedAt) / 1000;
  const { readings, posts, bodyBytes } = result;
  const modules = await withLoopDelay(site, difference(before, figuresOf(site), readings));
  const forwarder = await readStatus<ForwarderStatus>(site.url('forwarder'));
  const sum = (of: (module: ModuleFigures) => number): number =>
    modules.reduce((total, module) => total + of(module), 0);
  return {
    posts,
    readings,
    postsPerSecond: posts / result.seconds,
    acceptedPerSecond: readings / result.seconds,
    appliedPerSecond: readings / seconds,
    ackMs: result.latencyMs,
    appliedMs: forwarder?.latencyMs ?? { p50: Number.NaN, p99: Number.NaN },
    writtenPerByte: sum(({ written }) => written) / bodyBytes,
    bodyBytes,
    cpuUs: sum(({ cpuUs }) => cpuUs),
    loadCpuUs: (result.cpuSeconds * 1e6) / readings,
    rowsPerMessage: readings / ((await messagesApplied(site)) - messagesBefore),
    modules,
  };
}

/** Fills the journal while nobody scores, then lets it drain; readings a second of the second part. */
export async function backlogRun(site: Site, readings: number) {
  site.edge.kill('inference', 'SIGSTOP');
  const before = figuresOf(site);
  const load = await runLoad({
    ...BATCHED,
    connections: 2,
    seconds: 0,
    readings,
    port: portOf(site),
    token: site.token,
  });
  site.edge.kill('inference', 'SIGCONT');
  const startedAt = performance.now();
  await untilApplied(site);
  const elapsed = (performance.now() - startedAt) / 1000;
  return {
    readings: load.readings,
    drainPerSecond: load.readings / elapsed,
    modules: difference(before, figuresOf(site), load.readings),
  };
}

/** Waits until everything that was accepted is applied. @throws Error when nothing moves for two minutes */
export async function untilApplied(site: Site): Promise<void> {
  let last = -1;
  let changedAt = performance.now();
  for (;;) {
    const { ingest, forwarder } = await site.status();
    if (ingest !== undefined && forwarder !== undefined) {
      if (done(ingest, forwarder)) return;
      if (forwarder.applied !== last) changedAt = performance.now();
      last = forwarder.applied;
    }
    if (performance.now() - changedAt > 120_000) {
      throw new Error(
        `nothing was applied for two minutes: ${JSON.stringify({ ingest, forwarder })}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, CALM_MS));
  }
}

const done = (ingest: IngestStatus, forwarder: ForwarderStatus): boolean =>
  ingest.inFlight === 0 && ingest.accepted === forwarder.applied;

const portOf = (site: Site): number => Number(new URL(site.url('ingest')).port);

/** Messages that the forwarder has applied. */
async function messagesApplied(site: Site): Promise<number> {
  const text = await (await fetch(`${site.url('forwarder')}/metrics`)).text();
  return Number(/^\S*apply_seconds_count\S* (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}

type Figures = Map<string, { pid: number | undefined; cpu: number; written: number }>;

function figuresOf(site: Site): Figures {
  return new Map(
    site.edge
      .modules()
      .map(({ id, pid }) => [id, { pid, cpu: cpuSeconds(pid), written: bytesWritten(pid) }]),
  );
}

function difference(before: Figures, after: Figures, readings: number): ModuleFigures[] {
  return [...after].map(([id, { pid, cpu, written }]) => {
    const start = before.get(id);
    const memory = memoryMb(pid);
    const same = start?.pid === pid;
    return {
      id,
      memoryMb: memory.now,
      peakMb: memory.peak,
      cpuUs: ((cpu - (same ? (start?.cpu ?? 0) : 0)) * 1e6) / readings,
      loopDelayMs: Number.NaN,
      written: written - (same ? (start?.written ?? 0) : 0),
    };
  });
}

async function withLoopDelay(site: Site, modules: ModuleFigures[]): Promise<ModuleFigures[]> {
  for (const module of modules) {
    if (module.id.startsWith('edge')) continue;
    const status = await readStatus<{ eventLoopDelayMs?: { p99: number } }>(site.url(module.id));
    module.loopDelayMs = status?.eventLoopDelayMs?.p99 ?? Number.NaN;
  }
  return modules;
}
