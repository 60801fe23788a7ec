import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { check } from './problems.ts';
import { ModelIdentity } from './scores.ts';

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

/** Not strict: what a later release adds is passed over. */
export const ScoreNotes = z.object({
  models: z.array(OtherModel).optional(),
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
