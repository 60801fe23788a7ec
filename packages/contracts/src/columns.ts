import { z } from 'zod';
import { TIME_MS_MAX, TIME_MS_MIN } from './limits.ts';
import { type Checked, check } from './problems.ts';
import { AssetReadings, ReadingsMessage } from './readings.ts';
import { AssetScores, type Level, ScoresMessage } from './scores.ts';

/**
 * A schema of numbers checks them one by one, with an object for each and a copy of the list: for a message of 2,600
 * rows that was a third of the work of the module that reads it, and most of its garbage. Here a column is looked at by
 * one loop and taken as it is. What does not pass is checked again by the full schema, which says what is wrong.
 */
const column = <T>(fits: (item: unknown) => item is T) =>
  z.custom<T[]>((list) => Array.isArray(list) && list.every(fits));

const isSequence = (item: unknown): item is number =>
  Number.isSafeInteger(item) && Number(item) >= 1;
const isTime = (item: unknown): item is number =>
  Number.isSafeInteger(item) && Number(item) >= TIME_MS_MIN && Number(item) <= TIME_MS_MAX;
const isNumber = (item: unknown): item is number => Number.isFinite(item);
const isValue = (item: unknown): item is number | null => item === null || Number.isFinite(item);
const isLevel = (item: unknown): item is Level => item === 0 || item === 1 || item === 2;

const sequences = column(isSequence).refine((list) => list.length > 0);
const times = column(isTime);
const values = z.array(column(isValue));

const QuickReadings = ReadingsMessage.extend({
  assets: z
    .array(
      AssetReadings.extend({
        seq: sequences,
        t: times.refine((list) => list.length > 0),
        values,
        lookback: z.strictObject({ t: times, values }).optional(),
      }),
    )
    .min(1),
});

const QuickScores = ScoresMessage.extend({
  assets: z.array(
    AssetScores.extend({
      seq: sequences,
      t: times.refine((list) => list.length > 0),
      score: column(isNumber),
      level: column(isLevel),
    }),
  ),
});

/** `check` against `ReadingsMessage`, for the main path. */
export const checkReadings = (document: unknown): Checked<ReadingsMessage> =>
  quickly(QuickReadings, ReadingsMessage, document);

/** `check` against `ScoresMessage`, for the main path. */
export const checkScores = (document: unknown): Checked<ScoresMessage> =>
  quickly(QuickScores, ScoresMessage, document);

function quickly<T>(quick: z.ZodType<T>, full: z.ZodType<T>, document: unknown): Checked<T> {
  const result = quick.safeParse(document);
  return result.success ? { ok: true, value: result.data } : check(full, document);
}
