import type { InsightKind, InsightRecord, Lane } from '@holdfast/contracts';

/** Which lane a kind of record goes by. */
export const LANE_OF: Readonly<Record<InsightKind, Lane>> = {
  anomaly: 'critical',
  rollup: 'normal',
  gap: 'audit',
  scores: 'bulk',
  drift: 'normal',
  sample: 'bulk',
};

/** Lanes that a full outbox may take records from, first victim first. Audit and critical never are. */
export const EVICTION_ORDER: readonly Lane[] = ['bulk', 'normal'];

/** What became of the records of one lane. `pending` includes those in a sealed blob. */
export interface LaneCounts {
  produced: number;
  delivered: number;
  pending: number;
  denied: number;
  evicted: number;
  dead: number;
}

/** By how many records the accounting of a lane is off; 0 when it holds. */
export const laneImbalance = (lane: LaneCounts): number =>
  lane.produced - lane.delivered - lane.pending - lane.denied - lane.evicted - lane.dead;

/** UTC day of the event itself, not of its upload: what a reader partitions by. */
export function eventDate(record: InsightRecord): string {
  return new Date(eventTime(record)).toISOString().slice(0, 10);
}

function eventTime(record: InsightRecord): number {
  switch (record.kind) {
    case 'anomaly':
      return record.startT;
    case 'rollup':
      return record.minuteT;
    case 'scores':
      return record.t[0] ?? 0;
    case 'gap':
    case 'sample':
      return record.t;
    case 'drift':
      return record.toT;
  }
}
