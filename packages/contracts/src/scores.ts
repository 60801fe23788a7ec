import { z } from 'zod';
import { Epoch, Name, SequenceNumber, StreamName, TimeMs } from './names.ts';

/** 0 normal, 1 warning, 2 alarm: the score against the two levels of the model bundle. */
export const Level = z.union([z.literal(0), z.literal(1), z.literal(2)]);
export type Level = z.infer<typeof Level>;

/** Which model gave a score; `digest` is `sha256:<hex>` of the bundle, so that a name reused shows. */
export const ModelIdentity = z.strictObject({
  name: Name,
  version: z.string().min(1).max(64),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});
export type ModelIdentity = z.infer<typeof ModelIdentity>;

/** Rows of one asset that were scored; every array has one entry a row. */
export const AssetScores = z.strictObject({
  asset: Name,
  seq: z.array(SequenceNumber).min(1),
  t: z.array(TimeMs).min(1),
  score: z.array(z.number()),
  level: z.array(Level),
  /** Why, for the rows at level 1 or above only. */
  above: z
    .strictObject({
      signals: z.array(Name).min(1),
      /** Indexes into `seq`. */
      row: z.array(z.int().min(0)),
      /** Share of each signal in the score, `[row][signal]`, 0 to 1, summing to 1 within rounding. */
      contribution: z.array(z.array(z.number())),
      /** The signals as they were read, `[row][signal]`. */
      value: z.array(z.array(z.number().nullable())),
    })
    .optional(),
});
export type AssetScores = z.infer<typeof AssetScores>;

/** A row that can never be scored, with the reason. It never blocks the rows around it. */
export const Rejection = z.strictObject({
  seq: SequenceNumber,
  asset: Name,
  t: TimeMs,
  code: z.string().min(1).max(64),
  detail: z.string().max(512),
});
export type Rejection = z.infer<typeof Rejection>;

/** Rows for which there was nothing to score with: no model, window still filling, a signal missing. */
export const Unscored = z.strictObject({
  asset: Name,
  code: z.string().min(1).max(64),
  seq: z.array(SequenceNumber).min(1),
  t: z.array(TimeMs).min(1),
});
export type Unscored = z.infer<typeof Unscored>;

/**
 * The outcome of one batch, from inference to forwarder. Every sequence number of `first..last` stands exactly
 * once in `assets`, `rejected` or `unscored`, so the position of the stream always advances.
 */
export const ScoresMessage = z.strictObject({
  v: z.literal(1),
  kind: z.literal('scores'),
  stream: StreamName,
  epoch: Epoch,
  first: SequenceNumber,
  last: SequenceNumber,
  /** As in the readings message. */
  base: z.int().min(0),
  /** `null` when no model is loaded; then all rows are unscored. */
  model: ModelIdentity.nullable(),
  /** As in the readings message. */
  acceptedMs: z.int().min(0),
  assets: z.array(AssetScores),
  rejected: z.array(Rejection),
  unscored: z.array(Unscored),
  want: z.array(SequenceNumber).optional(),
});
export type ScoresMessage = z.infer<typeof ScoresMessage>;
