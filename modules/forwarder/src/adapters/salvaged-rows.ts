import type { RawRow, Value } from '../sqlite-file/cells.ts';
import { insightHolds, type OutboxRow, outboxRowHolds, provenAsset } from './proven-rows.ts';
import { sumOf } from './row-sum.ts';
import { blobHolds, type SealedBlob } from './sealed-blob.ts';

/** Tables whose rows are read from raw pages. */
export const TABLES_SALVAGED = [
  ...(['outbox', 'blob', 'asset', 'anomaly', 'rollup', 'gap', 'dead', 'segment'] as const),
  ...(['loss', 'damage'] as const),
  ...(['proofA', 'proofB', 'sqlite_sequence', 'position', 'totals', 'lane', 'meta'] as const),
] as const;
export type SalvagedTable = (typeof TABLES_SALVAGED)[number];

export interface ProvenRow {
  table: string;
  row: Record<string, Value>;
}

/** Columns as they stand in the file: in the order of the table, the row number left out. */
const COLUMNS = {
  outbox: ['lane', 'kind', 'date', 'blob', 'bytes', 'addedMs', 'record', 'sum'],
  blob: ['lane', 'kind', 'name', 'recordsHash', 'count', 'bytes', 'oldestMs', 'refusals', 'sum'],
  asset: ['name', 'state', 'sum'],
  anomaly: ['id', 'asset', 'startT', 'endT', 'record', 'sum'],
  rollup: ['asset', 'minuteT', 'part', 'record', 'sum'],
  gap: ['t', 'record', 'sum'],
  dead: ['lane', 'kind', 'diedMs', 'reason', 'record', 'sum'],
  segment: ['asset', 'firstT', 'lastT', 'rows', 'body', 'sum'],
  loss: ['source', 'first', 'last', 'count', 'reason'],
  damage: ['what', 'count'],
} as const;
type RowTable = keyof typeof COLUMNS;

/** Numbers that other rows or records name; all others are given anew. */
const NUMBERED: readonly string[] = [
  'outbox',
  'blob',
  'anomaly',
  'rollup',
  'gap',
  'dead',
  'segment',
];

/**
 * @param table where the row was found; undefined for a stray, which must prove itself by a checksum
 * @returns undefined when it does not prove itself
 */
export function provenRow(raw: RawRow, table: string | undefined): ProvenRow | undefined {
  if (table !== undefined) return provenAs(raw, table as RowTable);
  for (const candidate of Object.keys(COLUMNS) as RowTable[]) {
    const proven = provenAs(raw, candidate);
    if (proven !== undefined && typeof proven.row.sum === 'number') return proven;
  }
  return undefined;
}

function provenAs(raw: RawRow, table: RowTable): ProvenRow | undefined {
  const names: readonly string[] = COLUMNS[table];
  // SQLite leaves a null where the row number would stand.
  const values = NUMBERED.includes(table) || table === 'loss' ? raw.values.slice(1) : raw.values;
  const row: Record<string, Value> = {};
  names.forEach((name, index) => {
    row[name] = values[index] ?? null;
  });
  if (NUMBERED.includes(table)) {
    if (!Number.isSafeInteger(raw.number)) return undefined;
    row.number = raw.number!;
  }
  return holds(table, row) ? { table, row } : undefined;
}

type Segment = Record<'asset' | 'firstT' | 'lastT' | 'rows', string | number> & { body: unknown };

function holds(table: RowTable, row: Record<string, Value>): boolean {
  const text = (name: string): boolean => typeof row[name] === 'string';
  if (row.sum !== null && row.sum !== undefined && typeof row.sum !== 'number') return false;
  const sum = (row.sum ?? null) as number | null;
  switch (table) {
    case 'outbox':
      if (row.blob !== null && !Number.isSafeInteger(row.blob)) return false;
      return text('record') && outboxRowHolds(row as unknown as OutboxRow);
    case 'blob':
      if (!text('name') || !text('recordsHash')) return false;
      return blobHolds(row as unknown as SealedBlob & { sum: number | null });
    case 'asset':
      return (
        text('state') && provenAsset(row.name as string, row.state as string, sum) !== undefined
      );
    case 'segment': {
      const { asset, firstT, lastT, rows, body } = row as unknown as Segment;
      if (!Buffer.isBuffer(body)) return false;
      return sum === null || sum === sumOf('segment', [asset, firstT, lastT, rows], body);
    }
    case 'loss':
      return (
        [row.first, row.last, row.count].every(Number.isSafeInteger) &&
        text('source') &&
        text('reason')
      );
    case 'damage':
      return text('what') && Number.isSafeInteger(row.count);
    default: {
      const columns = COLUMNS[table].filter((name) => name !== 'record' && name !== 'sum');
      const values = columns.map((name) => row[name] as string | number | null);
      return text('record') && insightHolds(table, values, row.record as string, sum);
    }
  }
}
