import { crc32 } from 'node:zlib';

/**
 * Checksum of one row: its table, its small columns, its body. SQLite does not notice a bit that changes inside a cell, so
 * every row that leaves the site or steers carries one. CRC-32: a row is a few hundred bytes, and the enemy is chance.
 */
export function sumOf(
  table: string,
  columns: readonly (string | number | null)[],
  body: string | Uint8Array,
): number {
  // With types: a text that has turned into a blob of the same bytes is not the same value.
  return crc32(body, crc32(`${table}\n${typeof body}\n${JSON.stringify(columns)}\n`));
}

/** The columns of an outbox row that never change. */
export interface OutboxContent {
  number: number;
  lane: string;
  kind: string;
  date: string;
  bytes: number;
  addedMs: number;
  record: string;
}

export const outboxSum = (row: OutboxContent): number =>
  sumOf('outbox', [row.number, row.lane, row.kind, row.date, row.bytes, row.addedMs], row.record);

/** Sealing adds the blob to the checksum: a pointer that changes by itself shows. */
export const sealedSum = (contentSum: number, blob: number): number =>
  crc32(`\n${blob}`, contentSum);
