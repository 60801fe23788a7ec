import { createHash } from 'node:crypto';
import type { InsightKind, Lane } from '@holdfast/contracts';
import { sumOf } from './row-sum.ts';

/** A blob whose records are fixed, not yet known to be at the store. */
export interface SealedBlob {
  number: number;
  lane: Lane;
  kind: InsightKind;
  name: string;
  /** SHA-256 of the canonical records, hex. */
  recordsHash: string;
  count: number;
  bytes: number;
  /** How often the store refused it for a reason of its own. */
  refusals: number;
}

/** SHA-256 of the records as they stand in the outbox, one a line. */
export function hashOf(rows: readonly { record: string }[]): string {
  const hash = createHash('sha256');
  for (const { record } of rows) hash.update(record).update('\n');
  return hash.digest('hex');
}

/** Whether a sealed blob is what was written; without a checksum, whether its name agrees with its hash. */
export const blobHolds = (blob: SealedBlob & { sum: number | null }): boolean =>
  blob.sum === null
    ? blob.name.endsWith(`-${blob.recordsHash.slice(0, 16)}.parquet`)
    : blob.sum === blobSum(blob);

/** Checksum of a sealed blob; its number and its refusals are not part of it. */
export const blobSum = ({
  lane,
  kind,
  name,
  recordsHash,
  count,
  bytes,
}: Omit<SealedBlob, 'number' | 'refusals'>): number =>
  sumOf('blob', [lane, kind, recordsHash, count, bytes], name);
