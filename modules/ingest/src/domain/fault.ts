import { showValue } from '@holdfast/contracts';

/** Every reason for which ingest refuses a reading or a whole request; the label of the `refused` counters. */
export const REFUSAL_CODES = [
  'json-syntax',
  'shape',
  'field-unknown',
  'asset-missing',
  'asset-name',
  'asset-unknown',
  'signals-none',
  'signals-too-many',
  'signal-name',
  'signal-duplicate',
  'signal-unknown',
  'value-type',
  'value-not-finite',
  'value-range',
  'time-type',
  'time-zone-missing',
  'time-past',
  'time-future',
  'columns-length',
  'csv-header',
  'csv-cells',
  'line-too-long',
  'body-too-large',
  'body-late',
  'body-encoding',
  'media-type',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/** One thing that is wrong: where in the document, which value, what would have been accepted. */
export interface Fault {
  code: RefusalCode;
  /** Dotted path with `[n]` for items, or a column of a CSV file; empty for the document itself. */
  path: string;
  value?: string;
  /** A sentence part that begins with "must" or "is". */
  allowed: string;
}

/** Makes a fault that shows the value found. */
export const faultOf = (
  code: RefusalCode,
  path: string,
  value: unknown,
  allowed: string,
): Fault => ({ code, path, value: showInput(value), allowed });

/**
 * A value as it may appear in an answer. Arrays and objects are named, not printed: they come from strangers
 * and may be millions of levels deep.
 */
export function showInput(value: unknown): string {
  if (typeof value === 'string') return showValue(value.slice(0, 100));
  if (Array.isArray(value)) return `array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'object';
  return showValue(value);
}
