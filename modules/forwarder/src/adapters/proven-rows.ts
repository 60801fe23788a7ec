import { check, InsightRecord } from '@holdfast/contracts';
import { eventDate, LANE_OF } from '../domain/lanes.ts';
import type { AssetState } from './insight-store.ts';
import { type OutboxContent, outboxSum, sealedSum, sumOf } from './row-sum.ts';

/** A row of the outbox as it was read, from SQLite or from raw pages. */
export interface OutboxRow extends OutboxContent {
  blob: number | null;
  sum: number | null;
}

/**
 * Whether a row of the outbox is what was written. A row without a checksum is from a version that had none: then the
 * record must be whole and agree with its columns. That version also seals rows without renewing their checksum.
 */
export function outboxRowHolds(row: OutboxRow): boolean {
  if (row.sum === null) return recordFits(row);
  const content = outboxSum(row);
  if (row.blob === null) return row.sum === content;
  return row.sum === sealedSum(content, row.blob) || row.sum === content;
}

function recordFits({ record, lane, kind, date, bytes }: OutboxRow): boolean {
  const read = check(InsightRecord, typeof record === 'string' ? parsed(record) : undefined);
  if (!read.ok) return false;
  const { value } = read;
  return (
    value.kind === kind &&
    LANE_OF[value.kind] === lane &&
    eventDate(value) === date &&
    Buffer.byteLength(record) === bytes
  );
}

/** @returns undefined when it is damaged */
export function provenAsset(
  name: string,
  state: string,
  sum: number | null,
): AssetState | undefined {
  if (typeof name !== 'string' || typeof state !== 'string') return undefined;
  if (sum !== null && sum !== sumOf('asset', [name], state)) return undefined;
  const value = parsed(state) as AssetState | undefined;
  return typeof value?.detector === 'object' && typeof value.rollups === 'object'
    ? value
    : undefined;
}

/** Whether a kept insight is what was written; without a checksum, whether it can be read. */
export function insightHolds(
  table: 'anomaly' | 'rollup' | 'gap' | 'dead',
  columns: readonly (string | number | null)[],
  record: string,
  sum: number | null,
): boolean {
  if (sum !== null) return sum === sumOf(table, columns, record);
  return parsed(record) !== undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
