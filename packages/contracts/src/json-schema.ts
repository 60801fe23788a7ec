import { z } from 'zod';
import { BundleManifest, GoldenOutputs } from './bundle.ts';
import { DemandsMessage } from './demands.ts';
import { InsightRecord } from './insights.ts';
import { ReadingsMessage } from './readings.ts';
import { ReceiptsMessage } from './receipts.ts';
import { BundleReference } from './reference.ts';
import { ScoreNotes } from './score-notes.ts';
import { ScoresMessage } from './scores.ts';

/** Everything that another program may have to read or write, by file name. */
const PUBLISHED = {
  readings: ReadingsMessage,
  scores: ScoresMessage,
  receipts: ReceiptsMessage,
  demands: DemandsMessage,
  insight: InsightRecord,
  'model-bundle': BundleManifest,
  'golden-outputs': GoldenOutputs,
  'model-reference': BundleReference,
  'score-notes': ScoreNotes,
};

/**
 * JSON Schema (draft 2020-12) of every message, record and bundle file, made from the schemas that the modules
 * check with. Relations between fields that JSON Schema cannot say are in the docstrings of the schemas.
 */
export function jsonSchemas(): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(PUBLISHED).map(([name, schema]) => [
      name,
      z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Record<string, unknown>,
    ]),
  );
}
