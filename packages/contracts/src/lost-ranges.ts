import { z } from 'zod';
import { Epoch, SequenceNumber, StreamName } from './names.ts';
import { check } from './problems.ts';

/**
 * Application property that says which rows were lost. It is a property and not a field, because versions that do
 * not know it refuse unknown fields and ignore unknown properties.
 */
export const LOST_PROPERTY = 'lost';

/** Ranges in one property: far more than wait at once, and small beside a message. */
const RANGES_MAX = 100;
const REASON_LENGTH_MAX = 200;

/**
 * With `readings` and `scores`: rows of the message's stream and epoch, up to its `base`, that the journal has lost.
 * They never come. A range that the receiver has applied in part was lost in its rest.
 */
export const LostRange = z.tuple([
  SequenceNumber,
  SequenceNumber,
  z.string().max(REASON_LENGTH_MAX),
]);
export type LostRange = z.infer<typeof LostRange>;

/** With `receipts`: rows that the forwarder never had and has recorded as a gap, because they were said to be lost. */
export const RecordedLoss = z.tuple([StreamName, Epoch, SequenceNumber, SequenceNumber]);
export type RecordedLoss = z.infer<typeof RecordedLoss>;

export const writeLostRanges = (ranges: readonly LostRange[]): string =>
  JSON.stringify(
    ranges
      .slice(-RANGES_MAX)
      .map(([first, last, reason]) => [first, last, reason.slice(0, REASON_LENGTH_MAX)]),
  );

/** The newest of them, if there are too many: the older ones were told before. */
export const writeRecordedLosses = (losses: readonly RecordedLoss[]): string =>
  JSON.stringify(losses.slice(-RANGES_MAX));

/** Undefined when there is no such property, or it cannot be understood. */
export const readLostRanges = (text: string | undefined): LostRange[] | undefined =>
  read(z.array(LostRange), text);

/** Undefined when the sender does not know of losses, or it cannot be understood. */
export const readRecordedLosses = (text: string | undefined): RecordedLoss[] | undefined =>
  read(z.array(RecordedLoss), text);

function read<S extends z.ZodType>(schema: S, text: string | undefined): z.output<S> | undefined {
  if (text === undefined) return undefined;
  try {
    const checked = check(schema, JSON.parse(text));
    return checked.ok ? checked.value : undefined;
  } catch {
    return undefined;
  }
}
