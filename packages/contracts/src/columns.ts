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
const column = <T>(fits: (list: readonly unknown[]) => boolean) =>
  z.custom<T[]>((list) => Array.isArray(list) && fits(list));

// One loop for each kind: a function that is called for each number would be handed a new object for each.

function areWhole(list: readonly unknown[], least: number, most: number): boolean {
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index];
    if (!Number.isSafeInteger(item)) return false;
    if ((item as number) < least || (item as number) > most) return false;
  }
  return true;
}

function areValues(list: readonly unknown[]): boolean {
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index];
    if (item !== null && !Number.isFinite(item)) return false;
  }
  return true;
}

const areNumbers = (list: readonly unknown[]): boolean => areValues(list) && !list.includes(null);

const sequences = column<number>(
  (list) => list.length > 0 && areWhole(list, 1, Number.MAX_SAFE_INTEGER),
);
const earlierTimes = column<number>((list) => areWhole(list, TIME_MS_MIN, TIME_MS_MAX));
const times = column<number>((list) => list.length > 0 && areWhole(list, TIME_MS_MIN, TIME_MS_MAX));
const values = z.array(column<number | null>(areValues));
const scores = column<number>(areNumbers);
const levels = column<Level>((list) => areWhole(list, 0, 2));

const QuickReadings = ReadingsMessage.extend({
  assets: z
    .array(
      AssetReadings.extend({
        seq: sequences,
        t: times,
        values,
        lookback: z.strictObject({ t: earlierTimes, values }).optional(),
      }),
    )
    .min(1),
});

const QuickScores = ScoresMessage.extend({
  assets: z.array(
    AssetScores.extend({
      seq: sequences,
      t: times,
      score: scores,
      level: levels,
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
