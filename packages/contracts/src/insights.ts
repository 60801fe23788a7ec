import { z } from 'zod';
import { Epoch, Name, SequenceNumber, StreamName, TimeMs } from './names.ts';
import { SampleReason } from './score-notes.ts';
import { Level, ModelIdentity } from './scores.ts';

/** Upload lanes, most urgent first. `audit` and `critical` are never evicted. */
export const LANES = ['audit', 'critical', 'normal', 'bulk'] as const;
export const Lane = z.enum(LANES);
export type Lane = z.infer<typeof Lane>;

/** What every record that may leave the site carries. `id` is unique for ever and equal after any replay. */
const recordBase = { id: z.string().min(1).max(256), site: Name };

/**
 * A stretch in which an asset behaved unlike its model. Two records a event: `opened` as soon as it is sure,
 * `closed` when it is over; both have the same `anomaly` id, and the later one replaces the earlier.
 */
export const AnomalyRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('anomaly'),
  anomaly: z.string(),
  phase: z.enum(['opened', 'closed']),
  asset: Name,
  stream: StreamName,
  epoch: Epoch,
  level: Level,
  startT: TimeMs,
  peakT: TimeMs,
  /** `null` while open. */
  endT: TimeMs.nullable(),
  startSeq: SequenceNumber,
  peakScore: z.number(),
  /** Rows at warning level or above so far. */
  rows: z.int().min(1),
  /** At the peak, largest share first. */
  contributions: z.array(
    z.strictObject({ signal: Name, share: z.number(), value: z.number().nullable() }),
  ),
  model: ModelIdentity,
});
export type AnomalyRecord = z.infer<typeof AnomalyRecord>;

/**
 * One asset in one minute of reading time. A row that arrives after its minute was closed makes a further
 * record with the next `part`, so the sum over all records is the number of readings applied, always.
 */
export const RollupRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('rollup'),
  asset: Name,
  stream: StreamName,
  epoch: Epoch,
  minuteT: TimeMs,
  part: z.int().min(0),
  scored: z.int().min(0),
  rejected: z.int().min(0),
  unscored: z.int().min(0),
  warnings: z.int().min(0),
  alarms: z.int().min(0),
  scoreMin: z.number().nullable(),
  scoreMean: z.number().nullable(),
  scoreMax: z.number().nullable(),
  firstSeq: SequenceNumber,
  lastSeq: SequenceNumber,
  /** The model of the last scored row; `null` if none was scored. */
  model: ModelIdentity.nullable(),
});
export type RollupRecord = z.infer<typeof RollupRecord>;

/** Every score of one batch and asset, for data scientists; leaves the site only if the policy says so. */
export const ScoreSegmentRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('scores'),
  asset: Name,
  stream: StreamName,
  epoch: Epoch,
  t: z.array(TimeMs),
  seq: z.array(SequenceNumber),
  score: z.array(z.number()),
  level: z.array(Level),
  model: ModelIdentity,
});
export type ScoreSegmentRecord = z.infer<typeof ScoreSegmentRecord>;

/** A loss that policy allowed, or damage: what is missing, how much of it, and why. */
export const GapRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('gap'),
  t: TimeMs,
  /** Where: a lane for evicted records, a stream for readings. */
  source: z.string(),
  first: z.int().min(0),
  last: z.int().min(0),
  count: z.int().min(1),
  reason: z.string(),
});
export type GapRecord = z.infer<typeof GapRecord>;

/** What a window was tested for. `distance`: all signals together; `change`: the score within the site's own past. */
export const DRIFT_TESTS = [
  'signal',
  'missing',
  'outside',
  'stuck',
  'score',
  'distance',
  'change',
] as const;
export type DriftTest = (typeof DRIFT_TESTS)[number];

/** One test of one window. */
export const DriftFinding = z.strictObject({
  test: z.enum(DRIFT_TESTS),
  /** `null` for the tests of the model as a whole. */
  signal: Name.nullable(),
  statistic: z.number(),
  /** Corrected for the number of tests: compare it with the false-alarm rate as it is. */
  p: z.number().min(0).max(1),
  /** Cohen's w for distributions, the share of rows beyond the reference for rates, the step in `change`. */
  effect: z.number(),
  drifted: z.boolean(),
});
export type DriftFinding = z.infer<typeof DriftFinding>;

/** Health of one model over a window of rows of all assets: is what it sees still what it was trained on? */
export const DriftRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('drift'),
  /** Earliest and latest row. */
  fromT: TimeMs,
  toT: TimeMs,
  rows: z.int().min(1),
  model: ModelIdentity,
  drifted: z.boolean(),
  /** Chance that a window of a model without drift says `drifted`, as it was set. */
  falseAlarmRate: z.number(),
  findings: z.array(DriftFinding),
  /** The asset that is furthest from the reference, and its share in all that is; `null` when none stands out. */
  asset: Name.nullable(),
  assetShare: z.number().min(0).max(1),
});
export type DriftRecord = z.infer<typeof DriftRecord>;

/** A scored row with the window of inputs that the model was given, for training; leaves the site only if the policy says so. */
export const SampleRecord = z.strictObject({
  ...recordBase,
  kind: z.literal('sample'),
  asset: Name,
  stream: StreamName,
  epoch: Epoch,
  seq: SequenceNumber,
  t: TimeMs,
  score: z.number(),
  level: Level,
  model: ModelIdentity,
  reasons: z.array(SampleReason).min(1),
  /** As in the notes. */
  probability: z.number().gt(0).max(1).nullable(),
  shadowModel: ModelIdentity.nullable(),
  shadowScore: z.number().nullable(),
  signals: z.array(Name).min(1),
  windowRows: z.int().min(1),
  /** float32 little-endian, base64, `[signal, row]`. */
  window: z.string(),
});
export type SampleRecord = z.infer<typeof SampleRecord>;

export const InsightRecord = z.discriminatedUnion('kind', [
  AnomalyRecord,
  RollupRecord,
  ScoreSegmentRecord,
  GapRecord,
  DriftRecord,
  SampleRecord,
]);
export type InsightRecord = z.infer<typeof InsightRecord>;
export const INSIGHT_KINDS = ['anomaly', 'rollup', 'scores', 'gap', 'drift', 'sample'] as const;
export type InsightKind = InsightRecord['kind'];
