import type { ReadBack } from './read-back.ts';
import type { SourceCounts } from './source.ts';
import { type ForwarderStatus, type IngestStatus, type LaneCounts, sum } from './status.ts';

/** One equation of the books: what it says, both sides, and whether they agree. */
export interface Identity {
  says: string;
  left: number;
  right: number;
}

export const holds = (identity: Identity): boolean => identity.left === identity.right;

/** All equations that must hold once the site has drained. */
export function identitiesOf(site: {
  source: SourceCounts;
  ingest: IngestStatus;
  forwarder: ForwarderStatus;
  storage: ReadBack;
}): Identity[] {
  const { source, ingest, forwarder, storage } = site;
  const lanes = Object.entries(forwarder.lanes);
  return [
    {
      says: 'rows fed = rows accepted + rows refused',
      left: source.fed,
      right: source.accepted + sum(Object.values(source.refused)),
    },
    {
      says: 'acknowledged to the source = accepted by ingest',
      left: source.accepted,
      right: ingest.accepted,
    },
    {
      says: 'accepted = applied + in flight + skipped',
      left: ingest.accepted,
      right: forwarder.applied + ingest.inFlight + forwarder.skipped,
    },
    {
      says: 'applied = scored + rejected + unscored',
      left: forwarder.applied,
      right: forwarder.scored + forwarder.rejected + forwarder.unscored,
    },
    ...lanes.map(([lane, counts]) => ({
      says: `${lane}: produced = ${termsOf(counts)}`,
      left: counts.produced,
      right: accountedFor(counts),
    })),
    {
      says: 'delivered by all lanes = records in storage',
      left: sum(lanes.map(([, counts]) => counts.delivered)),
      right: storage.records,
    },
    {
      says: 'readings in the stored rollups = applied',
      left: sum(Object.values(storage.readings)),
      right: forwarder.applied,
    },
    { says: 'records in storage more than once = 0', left: storage.duplicates, right: 0 },
    {
      says: 'waiting in all lanes = 0',
      left: sum(lanes.map(([, counts]) => counts.pending)),
      right: 0,
    },
  ];
}

const TERMS = ['delivered', 'pending', 'denied', 'evicted', 'dead'] as const;

const termsOf = (counts: LaneCounts): string =>
  TERMS.map((term) => `${term} ${counts[term].toLocaleString('en-US')}`).join(' + ');

const accountedFor = (counts: LaneCounts): number => sum(TERMS.map((term) => counts[term]));
