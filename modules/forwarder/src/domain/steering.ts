import { type InsightKind, LANES, type Lane } from '@holdfast/contracts';
import { type LaneCounts, laneImbalance } from './lanes.ts';

/**
 * What decides how the forwarder goes on: where each stream stands and what has been counted. All of it is small, so
 * there are several copies; this file decides which of them to believe.
 */
export interface Steering {
  /** Version of the tables, when there is one to tell. */
  schema?: number;
  /** Counts the transactions, so that the newer of two copies is known. */
  commits: number;
  positions: { stream: string; epoch: string; through: number; skipped: number }[];
  totals: Record<keyof typeof NO_TOTALS, number>;
  lanes: Record<string, LaneCounts & { pendingBytes: number }>;
  meta: { key: string; value: string }[];
  /** Numbers given last, by table. */
  sequences: { name: string; seq: number }[];
  /** Number of the oldest record that is pending, by lane. */
  oldest: Record<string, number>;
  /** Blobs that are sealed and not settled: they may be at the store. */
  sealed: SealedName[];
  /** Readings counted in open rollups, by `openKey`; null after a version that did not count them. */
  open: Record<string, number> | null;
}

/** As much of a sealed blob as is needed to ask the store for it. */
export interface SealedName {
  number: number;
  lane: Lane;
  kind: InsightKind;
  name: string;
  recordsHash: string;
  count: number;
  bytes: number;
}

export const NO_TOTALS = {
  applied: 0,
  scored: 0,
  rejected: 0,
  unscored: 0,
  skipped: 0,
  anomalies: 0,
  rollups: 0,
  gaps: 0,
  blobs: 0,
  segmentsOverwritten: 0,
  scoresOverwritten: 0,
  insightsExpired: 0,
  deadOverwritten: 0,
};

const NO_COUNTS = {
  ...{ produced: 0, delivered: 0, pending: 0, denied: 0, evicted: 0, dead: 0 },
  pendingBytes: 0,
};

/** A stream and an epoch in one string. */
export const openKey = ({ stream, epoch }: { stream: string; epoch: string }): string =>
  `${stream}\n${epoch}`;

/** Whether the books agree with each other; damage in one of them shows. */
export function consistent({ positions, totals, lanes }: Steering): boolean {
  const numbers = [
    ...positions.flatMap(({ through, skipped }) => [through, skipped]),
    ...Object.values(totals),
    ...LANES.flatMap((lane) => Object.values(lanes[lane] ?? {})),
  ];
  if (!numbers.every((value) => Number.isSafeInteger(value) && value >= 0)) return false;
  if (Object.keys(lanes).length !== LANES.length) return false;
  const sum = (of: (position: Steering['positions'][number]) => number): number =>
    positions.reduce((total, position) => total + of(position), 0);
  return (
    LANES.every((lane) => lanes[lane] !== undefined && laneImbalance(lanes[lane]) === 0) &&
    sum(({ through, skipped }) => through - skipped) === totals.applied &&
    sum(({ skipped }) => skipped) === totals.skipped &&
    totals.applied === totals.scored + totals.rejected + totals.unscored
  );
}

const same = (a: Steering, b: Steering): boolean => essence(a) === essence(b);

const essence = ({ positions, totals, lanes, meta }: Steering): string =>
  JSON.stringify([
    positions
      .map(({ stream, epoch, through, skipped }) => [stream, epoch, through, skipped])
      .sort(),
    Object.keys(NO_TOTALS).map((name) => totals[name as keyof typeof NO_TOTALS]),
    LANES.map((lane) => Object.keys(NO_COUNTS).map((name) => lanes[lane]?.[name as 'pending'])),
    meta.map(({ key, value }) => [key, value]).sort(),
  ]);

/** Whether `tables` may be what an older version made of `proof`: it goes on counting and leaves the proof behind. */
function continues(tables: Steering, proof: Steering): boolean {
  const grown = LANES.every(
    (lane) => (tables.lanes[lane]?.produced ?? 0) >= (proof.lanes[lane]?.produced ?? 0),
  );
  const on = proof.positions.every(
    ({ stream, epoch, through }) =>
      (tables.positions.find((one) => one.stream === stream && one.epoch === epoch)?.through ??
        0) >= through,
  );
  const { totals } = tables;
  const more =
    totals.applied + totals.rollups + totals.blobs + totals.gaps >
    proof.totals.applied + proof.totals.rollups + proof.totals.blobs + proof.totals.gaps;
  const settled = LANES.some((lane) => tables.lanes[lane]?.denied !== proof.lanes[lane]?.denied);
  return grown && on && (more || settled);
}

/** Which copy is believed: both agree, an older version went on, the proof alone, or what the rows still show. */
export type Choice = 'agree' | 'tables' | 'proof' | 'rows';

/**
 * Chooses between the tables, which every version keeps, and the proof, which has a checksum.
 * @param rows what can be told from rows alone, for when nothing else is left
 */
export function chooseSteering(
  tables: Steering | undefined,
  proof: Steering | undefined,
  rows: () => Steering,
): { steering: Steering; choice: Choice } {
  if (proof !== undefined) {
    if (tables === undefined) return { steering: proof, choice: 'proof' };
    if (same(tables, proof)) return { steering: { ...tables, ...proof }, choice: 'agree' };
    const older = consistent(tables) && continues(tables, proof);
    if (!older) return { steering: proof, choice: 'proof' };
    return { steering: { ...tables, open: null }, choice: 'tables' };
  }
  if (tables !== undefined && consistent(tables)) {
    return { steering: { ...tables, open: null }, choice: 'tables' };
  }
  return { steering: rows(), choice: 'rows' };
}

/** A beginning of the books at these positions: what was before is not known, and not counted. */
export function steeringFrom(positions: Steering['positions']): Steering {
  const applied = positions.reduce((sum, { through, skipped }) => sum + through - skipped, 0);
  return {
    commits: 0,
    positions,
    totals: { ...NO_TOTALS, applied, unscored: applied },
    lanes: Object.fromEntries(LANES.map((lane) => [lane, { ...NO_COUNTS }])),
    ...{ meta: [], sequences: [], oldest: {}, sealed: [], open: null },
  };
}
