import { z } from 'zod';
import { SIGNALS_MAX } from './limits.ts';
import { Epoch, LookbackRows, Name, SequenceNumber, StreamName, TimeMs } from './names.ts';

/** A measured value; `null` is a value that is missing, never a value that was replaced. */
export const SignalValue = z.number().nullable();

/** Rows of one asset that share one set of signals. All arrays but `signals` and `values` have one entry a row. */
export const AssetReadings = z.strictObject({
  asset: Name,
  signals: z.array(Name).min(1).max(SIGNALS_MAX),
  /** Strictly increasing, within `first..last` of the message. */
  seq: z.array(SequenceNumber).min(1),
  t: z.array(TimeMs).min(1),
  /** Columns, `[signal][row]`. */
  values: z.array(z.array(SignalValue)),
  /** Up to `lookback` rows of the same asset and signals before `seq[0]`, oldest first; columns as above. */
  lookback: z
    .strictObject({ t: z.array(TimeMs), values: z.array(z.array(SignalValue)) })
    .optional(),
});
export type AssetReadings = z.infer<typeof AssetReadings>;

/**
 * A batch of accepted readings, from ingest to inference. The sequence numbers in `assets` are exactly
 * `first..last`, each once.
 */
export const ReadingsMessage = z.strictObject({
  v: z.literal(1),
  kind: z.literal('readings'),
  stream: StreamName,
  epoch: Epoch,
  first: SequenceNumber,
  last: SequenceNumber,
  /**
   * All up to and including this number had its receipt when the batch was made, and is never sent again. Less than
   * `first`; a receiver that stands before it has lost its store since it gave that receipt.
   */
  base: z.int().min(0),
  /** The number of earlier rows this batch was made with; a model that needs more answers with a demand. */
  lookback: LookbackRows,
  /** When the oldest row of this batch was accepted, wall clock of ingest in ms since 1970; for latency only. */
  acceptedMs: z.int().min(0),
  assets: z.array(AssetReadings).min(1),
  /** Sequence numbers whose outcome somebody waits for; it comes back in the receipt. */
  want: z.array(SequenceNumber).optional(),
});
export type ReadingsMessage = z.infer<typeof ReadingsMessage>;
