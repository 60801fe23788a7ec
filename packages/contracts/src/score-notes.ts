import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { Name, SequenceNumber, TimeMs } from './names.ts';
import { check } from './problems.ts';
import { BINS_MAX, DriftBaseline } from './reference.ts';
import { Level, ModelIdentity } from './scores.ts';

/**
 * Application property of a `scores` message that holds what came after the first release of its body: a property and
 * not a field, because versions that do not know it refuse unknown fields and ignore unknown properties.
 */
export const NOTES_PROPERTY = 'notes';

/** Longest property in characters: the hub allows 16 KiB beside the largest body, and MQTT 64 KiB for all of them. */
export const NOTES_CHARS_MAX = 12_000;

/** What it may become when inflated: a guard against a property that was made to be large. */
const NOTES_BYTES_MAX = 1024 * 1024;

/** Assets of the message that another model than its `model` scored. */
export const OtherModel = z.object({
  model: ModelIdentity,
  /** Indexes into the message's `assets`, ascending. */
  assets: z.array(z.int().min(0)),
});
export type OtherModel = z.infer<typeof OtherModel>;

const Count = z.int().min(0);
const Bins = z.array(Count).max(BINS_MAX);

/** How the rows that one model has seen lie in the bins of its reference; counts of several messages add up. */
export const DriftCounts = z.object({
  model: ModelIdentity,
  /** Rows of this message with the signals of the model. */
  rows: Count,
  /** Earliest and latest of them. */
  fromT: TimeMs,
  toT: TimeMs,
  /** `[signal][bin]`, in the order of the reference. */
  signals: z.array(Bins),
  /** `[signal]`: rows without a value; with one outside of its range; at which it had been stuck. */
  missing: z.array(Count),
  outside: z.array(Count),
  stuck: z.array(Count),
  /** `[signal]`: rows before which enough could be seen to tell that a signal is stuck. */
  stuckSeen: z.array(Count),
  score: Bins,
  /** Empty without a distance in the reference. */
  distance: Bins,
  /** Rows of each asset, and how many of its values are in the outermost bins or none at all. */
  assets: z.array(z.object({ asset: Name, rows: Count, odd: Count })),
  /** In some messages only: what the counts are compared with. */
  baseline: DriftBaseline.optional(),
});
export type DriftCounts = z.infer<typeof DriftCounts>;

/** Why a row was chosen for the data scientists. `floor`: by chance alone, whatever is in it. */
export const SAMPLE_REASONS = [
  'floor',
  'disagreement',
  'near-threshold',
  'uncertain',
  'drifting',
] as const;
export const SampleReason = z.enum(SAMPLE_REASONS);
export type SampleReason = z.infer<typeof SampleReason>;

/** One scored row and what the model was given for it. */
export const Sample = z.object({
  asset: Name,
  seq: SequenceNumber,
  t: TimeMs,
  score: z.number(),
  level: Level,
  reasons: z.array(SampleReason).min(1),
  /** With reason `floor`: with which probability any row was chosen then; else null, not a random sample. */
  probability: z.number().gt(0).max(1).nullable(),
  /** What a shadow made of the same row. */
  shadow: z.object({ model: ModelIdentity, score: z.number() }).optional(),
  /** The window, float32 little-endian, base64, `[signal, row]`: oldest row first. */
  window: z.string(),
});
export type Sample = z.infer<typeof Sample>;

export const ModelSamples = z.object({
  model: ModelIdentity,
  signals: z.array(Name).min(1),
  /** Rows of each window. */
  rows: z.int().min(1),
  samples: z.array(Sample),
});
export type ModelSamples = z.infer<typeof ModelSamples>;

/** Not strict: what a later release adds is passed over. */
export const ScoreNotes = z.object({
  models: z.array(OtherModel).optional(),
  drift: z.array(DriftCounts).optional(),
  samples: z.array(ModelSamples).optional(),
});
export type ScoreNotes = z.infer<typeof ScoreNotes>;

/** The property, or undefined when it would be longer than `NOTES_CHARS_MAX`; the caller then leaves something out. */
export function writeScoreNotes(notes: ScoreNotes): string | undefined {
  // The fastest level: on every message, and most of it are small numbers.
  const bytes = deflateRawSync(JSON.stringify(notes), { level: constants.Z_BEST_SPEED });
  const text = bytes.toString('base64url');
  return text.length > NOTES_CHARS_MAX ? undefined : text;
}

/** Undefined when there is no such property, or it cannot be understood: the scores themselves do not depend on it. */
export function readScoreNotes(text: string | undefined): ScoreNotes | undefined {
  if (text === undefined) return undefined;
  try {
    const bytes = inflateRawSync(Buffer.from(text, 'base64url'), {
      maxOutputLength: NOTES_BYTES_MAX,
    });
    const checked = check(ScoreNotes, JSON.parse(bytes.toString('utf8')));
    return checked.ok ? checked.value : undefined;
  } catch {
    return undefined;
  }
}
