import { z } from 'zod';
import { Epoch, SequenceNumber, StreamName } from './names.ts';
import { Level } from './scores.ts';

/** What became of one reading that somebody waited for. */
export const Outcome = z.discriminatedUnion('outcome', [
  z.strictObject({
    seq: SequenceNumber,
    outcome: z.literal('scored'),
    score: z.number(),
    level: Level,
  }),
  z.strictObject({
    seq: SequenceNumber,
    outcome: z.literal('rejected'),
    code: z.string(),
    detail: z.string(),
  }),
  z.strictObject({ seq: SequenceNumber, outcome: z.literal('unscored'), code: z.string() }),
]);
export type Outcome = z.infer<typeof Outcome>;

/** All readings of one stream up to and including `through` are applied and fsynced at the forwarder. */
export const Receipt = z.strictObject({
  stream: StreamName,
  epoch: Epoch,
  /** 0 when nothing of this epoch has been applied yet. */
  through: z.int().min(0),
  results: z.array(Outcome).optional(),
});
export type Receipt = z.infer<typeof Receipt>;

/** Cumulative receipts, from forwarder to ingest, sent after commit; several streams share one message. */
export const ReceiptsMessage = z.strictObject({
  v: z.literal(1),
  kind: z.literal('receipts'),
  receipts: z.array(Receipt).min(1),
});
export type ReceiptsMessage = z.infer<typeof ReceiptsMessage>;
