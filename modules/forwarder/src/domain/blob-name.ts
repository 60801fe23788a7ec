import type { InsightKind, Lane } from '@holdfast/contracts';

export interface BlobIdentity {
  kind: InsightKind;
  site: string;
  /** `YYYY-MM-DD`, UTC. */
  date: string;
  lane: Lane;
  /** Outbox numbers of the first and the last record. */
  first: number;
  last: number;
  /** SHA-256 of the canonical records, hex. Not of the file: another compressor gives other bytes for the same records. */
  recordsHash: string;
}

/**
 * Name of a blob: the same records always get the same name, so a repeated upload meets the first one instead of
 * making a second. Hive partitions. Below 880 characters, the limit of Azure
 * Stack Hub, because names are at most 128.
 */
export function blobName(blob: BlobIdentity): string {
  const file = `${blob.lane}-all-${blob.first}-${blob.last}-${blob.recordsHash.slice(0, 16)}.parquet`;
  return `insights/v1/kind=${blob.kind}/site=${hiveValue(blob.site)}/date=${blob.date}/${file}`;
}

/** Outbox number of the first record in a blob, by its name. */
export const firstIn = (name: string): number =>
  Number(/-(\d+)-\d+-[0-9a-f]{16}\.parquet$/.exec(name)?.[1] ?? 0);

/** Escapes, as Hive does, the characters that a name may hold and a partition value may not. */
const hiveValue = (value: string): string =>
  value.replace(/[%:]/g, (character) => (character === '%' ? '%25' : '%3A'));
