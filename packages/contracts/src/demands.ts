import { z } from 'zod';
import { LookbackRows } from './names.ts';
import { ModelIdentity } from './scores.ts';

/**
 * From inference to ingest: this model needs so many earlier rows of each asset. ingest keeps the largest
 * demand it has heard durably and sends again, with the rows added, what has no receipt yet.
 */
export const DemandsMessage = z.strictObject({
  v: z.literal(1),
  kind: z.literal('demands'),
  model: ModelIdentity,
  lookback: LookbackRows,
});
export type DemandsMessage = z.infer<typeof DemandsMessage>;
