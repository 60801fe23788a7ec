import type { Site } from '../demo/site.ts';
import { type ForwarderStatus, type IngestStatus, readStatus } from '../demo/status.ts';
import { bytesWritten, cpuSeconds, memoryMb, runLoad } from './measure.ts';

export interface SiteRun {
  site: Site;
  seconds: number;
}

export interface ModuleFigures {
  id: string;
  memoryMb: number;
  peakMb: number;
  cpuPerSecond: number;
  loopDelayMs: number;
  /** Bytes. */
  written: number;
}

const CALM_MS = 200;

/** Batched posts as fast as ingest takes them; counts what is applied between two moments of full load. */
export async function batchedRun({ site, seconds }: SiteRun) {
  const before = figuresOf(site);
  const startedAt = performance.now();
  const load = await runLoad({
    port: portOf(site),
    token: site.token,
    rows: 1_000,
    connections: 4,
    rate: 0,
    seconds,
    readings: 0,
  });
  const applied = await untilApplied(site);
  const elapsed = (performance.now() - startedAt) / 1000;
  const modules = await withLoopDelay(site, difference(before, figuresOf(site), elapsed));
  const written = modules.reduce((total, module) => total + module.written, 0);
  return {
    acceptedPerSecond: load.readings / load.seconds,
    appliedPerSecond: applied / elapsed,
    writtenPerByte: written / load.bodyBytes,
    modules,
  };
}

export async function singlesRun({ site, seconds }: SiteRun) {
  const load = await runLoad({
    port: portOf(site),
    token: site.token,
    rows: 1,
    connections: 64,
    rate: 0,
    seconds,
    readings: 0,
  });
  await untilApplied(site);
  return { perSecond: load.posts / load.seconds, latencyMs: load.latencyMs };
}

export async function latencyRun({ site, seconds }: SiteRun) {
  await runLoad({
    port: portOf(site),
    token: site.token,
    rows: 1,
    connections: 16,
    rate: 1_000,
    seconds,
    readings: 0,
  });
  await untilApplied(site);
  const forwarder = await readStatus<ForwarderStatus>(site.url('forwarder'));
  return { latencyMs: forwarder?.latencyMs ?? { p50: Number.NaN, p99: Number.NaN } };
}

/** Fills the journal with a million readings while nobody scores, then lets it drain. */
export async function backlogRun({ site }: SiteRun) {
  site.edge.kill('inference', 'SIGSTOP');
  const before = figuresOf(site);
  const load = await runLoad({
    port: portOf(site),
    token: site.token,
    rows: 1_000,
    connections: 2,
    rate: 0,
    seconds: 0,
    readings: 1_000_000,
  });
  site.edge.kill('inference', 'SIGCONT');
  const startedAt = performance.now();
  await untilApplied(site);
  const elapsed = (performance.now() - startedAt) / 1000;
  return {
    readings: load.readings,
    drainPerSecond: load.readings / elapsed,
    modules: await withLoopDelay(site, difference(before, figuresOf(site), elapsed)),
  };
}

/** Waits until everything that was accepted is applied, and returns how much that is. */
async function untilApplied(site: Site): Promise<number> {
  let last = -1;
  let changedAt = performance.now();
  for (;;) {
    const { ingest, forwarder } = await site.status();
    if (ingest !== undefined && forwarder !== undefined) {
      if (done(ingest, forwarder)) return forwarder.applied;
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

type Figures = Map<string, { pid: number | undefined; cpu: number; written: number }>;

function figuresOf(site: Site): Figures {
  return new Map(
    site.edge
      .modules()
      .map(({ id, pid }) => [id, { pid, cpu: cpuSeconds(pid), written: bytesWritten(pid) }]),
  );
}

function difference(before: Figures, after: Figures, seconds: number): ModuleFigures[] {
  return [...after].map(([id, { pid, cpu, written }]) => {
    const start = before.get(id);
    const memory = memoryMb(pid);
    const same = start?.pid === pid;
    return {
      id,
      memoryMb: memory.now,
      peakMb: memory.peak,
      cpuPerSecond: (cpu - (same ? (start?.cpu ?? 0) : 0)) / seconds,
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
