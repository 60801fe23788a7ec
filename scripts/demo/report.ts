import { count } from './display.ts';
import type { Finding } from './faults-found.ts';
import { holds, type Identity } from './identities.ts';
import type { Anomaly, ReadBack } from './read-back.ts';
import type { SourceCounts } from './source.ts';
import { type ForwarderStatus, type IngestStatus, sum } from './status.ts';

export interface Outcome {
  source: SourceCounts;
  ingest: IngestStatus;
  forwarder: ForwarderStatus;
  storage: ReadBack;
  identities: Identity[];
  findings: Finding[];
  falseAlarms: Anomaly[];
  kills: number;
  restarts: number;
  feedSeconds: number;
  drainSeconds: number;
}

export const allHolds = (outcome: Outcome): boolean =>
  outcome.identities.every(holds) && outcome.findings.every(({ by }) => by !== undefined);

/** The end of the demo for a person. */
export function reportLines(outcome: Outcome): string[] {
  const { source, forwarder, storage } = outcome;
  const refused = Object.entries(source.refused);
  return [
    '',
    'Accounting',
    ...outcome.identities.map(
      ({ says, left, right }) =>
        `  ${left === right ? '✔' : '✘'} ${says}: ${count(left)} = ${count(right)}`,
    ),
    ...(refused.length > 0 ? ['', 'Refused by ingest'] : []),
    ...refused.map(([reason, rows]) => {
      const example = source.examples[reason];
      const found = example === undefined ? '' : `, for example not ${example}`;
      return `  ${count(rows)} ${rows === 1 ? 'row' : 'rows'}: ${reason}${found}`;
    }),
    '',
    'In storage, read back from the blobs',
    `  ${count(storage.blobs)} ${storage.blobs === 1 ? 'blob' : 'blobs'}, ${count(storage.bytes)} bytes, ${count(storage.records)} records (${Object.entries(
      storage.byKind,
    )
      .map(([kind, records]) => `${count(records)} ${kind}`)
      .join(', ')})`,
    ...faultLines(outcome),
    '',
    `${count(forwarder.applied)} readings in ${outcome.feedSeconds.toFixed(0)} s, drained ${outcome.drainSeconds.toFixed(1)} s after the last one; ` +
      `accepted to applied p50 ${forwarder.latencyMs.p50.toFixed(0)} ms, p99 ${forwarder.latencyMs.p99.toFixed(0)} ms; ` +
      `${outcome.kills} kills, ${outcome.restarts} restarts, ${count(source.repeated)} posts repeated`,
    allHolds(outcome)
      ? 'Everything holds: nothing lost, nothing twice.'
      : 'NOT everything holds: see the lines marked ✘ above.',
  ];
}

function faultLines({ findings, falseAlarms, storage }: Outcome): string[] {
  if (findings.length === 0) {
    return storage.anomalies.length === 0
      ? []
      : ['', `${count(storage.anomalies.length)} anomalies in storage`];
  }
  return [
    '',
    'Injected faults',
    ...findings.map(({ fault, by }) => {
      const where = `${fault.kind} at ${fault.asset}${fault.signal === undefined ? '' : ` (${fault.signal})`}`;
      const window = `${clock(fault.startMs)} to ${clock(fault.endMs)}`;
      if (by === undefined) return `  ✘ ${where}, ${window}: not found`;
      if (typeof by === 'string') return `  ✔ ${where}, ${window}: ${by}`;
      return `  ✔ ${where}, ${window}: anomaly from ${clock(by.startT)}, peak score ${by.peakScore.toPrecision(3)}`;
    }),
    `  ${falseAlarms.length} anomalies where nothing was injected`,
  ];
}

const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

/** The one object of `--json`. */
export function reportJson(outcome: Outcome): Record<string, unknown> {
  const { ingest, forwarder, storage } = outcome;
  return {
    accepted: ingest.accepted,
    applied: forwarder.applied,
    scored: forwarder.scored,
    rejected: forwarder.rejected,
    unscored: forwarder.unscored,
    inFlight: ingest.inFlight,
    lanes: forwarder.lanes,
    anomalies: storage.anomalies.length,
    rollups: storage.byKind.rollup ?? 0,
    blobs: storage.blobs,
    blobRecords: storage.records,
    duplicateRecords: storage.duplicates,
    gaps: forwarder.gaps,
    restarts: outcome.restarts,
    readingsPerSecond: Math.round(forwarder.applied / outcome.feedSeconds),
    latencyMs: forwarder.latencyMs,
    refused: sum(Object.values(outcome.source.refused)),
    faultsInjected: outcome.findings.length,
    faultsFound: outcome.findings.filter(({ by }) => by !== undefined).length,
    identityHolds: allHolds(outcome),
  };
}
