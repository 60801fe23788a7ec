import { LANES } from '@holdfast/contracts';
import { alarming, bar, count, type Display } from './display.ts';
import type { Site } from './site.ts';
import type { SourceCounts } from './source.ts';
import { type SiteStatus, sum } from './status.ts';

/** What the demo itself knows and the modules do not. */
export interface Stage {
  phase: string;
  linkUp: boolean;
  /** 0 to 1, or undefined when the end is not known. */
  progress: number | undefined;
  source: SourceCounts;
}

interface OpenAnomaly {
  anomaly: string;
  asset: string;
  phase: 'opened' | 'closed';
  peakScore: number;
  contributions?: { signal: string; share: number }[];
}

/** Shows the site twice a second and says when an anomaly opens or closes, until `signal` aborts. */
export async function watch(options: {
  site: Site;
  stage: Stage;
  display: Display;
  signal: AbortSignal;
}): Promise<void> {
  const { site, stage, display, signal } = options;
  const seen = new Map<string, string>();
  let before: { status: SiteStatus; atMs: number } | undefined;
  while (!signal.aborted) {
    const status = await site.status();
    const atMs = performance.now();
    for (const line of await newAnomalies(site, seen)) display.event(line);
    const perSecond = ratesBetween(before, { status, atMs });
    if (!signal.aborted)
      display.show(blockOf(site, stage, status, perSecond), lineOf(stage, status, perSecond), atMs);
    before = { status, atMs };
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

interface Rates {
  accepted: number;
  applied: number;
}

function ratesBetween(
  before: { status: SiteStatus; atMs: number } | undefined,
  now: { status: SiteStatus; atMs: number },
): Rates {
  const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1000;
  const rate = (from: number | undefined, to: number | undefined): number =>
    from === undefined || to === undefined || seconds === 0
      ? 0
      : Math.max(0, Math.round((to - from) / seconds));
  return {
    accepted: rate(before?.status.ingest?.accepted, now.status.ingest?.accepted),
    applied: rate(before?.status.forwarder?.applied, now.status.forwarder?.applied),
  };
}

function blockOf(site: Site, stage: Stage, status: SiteStatus, rates: Rates): string[] {
  const { ingest, forwarder } = status;
  const modules = site.edge
    .modules()
    .map(
      ({ id, state, restarts }) => `${id} ${state}${restarts > 0 ? ` (${restarts} restarts)` : ''}`,
    );
  return [
    '',
    `${stage.progress === undefined ? '' : `${bar(stage.progress, 30)} `}${stage.phase}; ${stage.linkUp ? 'link up' : alarming('link DOWN')}`,
    `readings   accepted ${count(ingest?.accepted ?? 0)} (${count(rates.accepted)}/s)   applied ${count(forwarder?.applied ?? 0)} (${count(rates.applied)}/s)   in flight ${count(ingest?.inFlight ?? 0)}`,
    ...LANES.flatMap((lane) => {
      const counts = forwarder?.lanes[lane];
      return counts === undefined ? [] : [{ lane, counts }];
    }).map(
      ({ lane, counts }) =>
        `lane ${lane.padEnd(9)} waiting ${count(counts.pending).padStart(7)}   delivered ${count(counts.delivered).padStart(7)}   denied ${count(counts.denied)}`,
    ),
    `anomalies  open ${forwarder?.anomalies.open ?? 0}, in all ${forwarder?.anomalies.total ?? 0}`,
    `modules    ${modules.join('   ')}`,
  ];
}

function lineOf(stage: Stage, status: SiteStatus, rates: Rates): string {
  const { ingest, forwarder } = status;
  const lanes = Object.values(forwarder?.lanes ?? {});
  return [
    stage.phase,
    `link ${stage.linkUp ? 'up' : 'down'}`,
    `accepted ${ingest?.accepted ?? '?'} (${rates.accepted}/s)`,
    `applied ${forwarder?.applied ?? '?'} (${rates.applied}/s)`,
    `in flight ${ingest?.inFlight ?? '?'}`,
    `waiting ${sum(lanes.map(({ pending }) => pending))}`,
    `delivered ${sum(lanes.map(({ delivered }) => delivered))}`,
    `anomalies ${forwarder?.anomalies.total ?? '?'}`,
  ].join(' | ');
}

async function newAnomalies(site: Site, seen: Map<string, string>): Promise<string[]> {
  let anomalies: OpenAnomaly[];
  try {
    const response = await fetch(`${site.url('forwarder')}/v1/anomalies?limit=100`, {
      signal: AbortSignal.timeout(2_000),
    });
    anomalies = ((await response.json()) as { anomalies: OpenAnomaly[] }).anomalies;
  } catch {
    return [];
  }
  const lines: string[] = [];
  for (const one of anomalies.reverse()) {
    const before = seen.get(one.anomaly);
    if (before === one.phase) continue;
    seen.set(one.anomaly, one.phase);
    const top = one.contributions?.[0];
    if (before === undefined) {
      lines.push(
        `anomaly opens at ${one.asset}${top === undefined ? '' : `, mostly ${top.signal}`}`,
      );
    }
    if (one.phase === 'closed') {
      lines.push(`anomaly closes at ${one.asset}, peak score ${one.peakScore.toPrecision(3)}`);
    }
  }
  return lines;
}
