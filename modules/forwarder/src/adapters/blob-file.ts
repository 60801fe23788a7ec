import type { InsightRecord } from '@holdfast/contracts';
import type { Upload } from './blob-target.ts';
import { toParquet } from './parquet.ts';
import type { SealedBlob } from './sealing.ts';
import { UploadFailure } from './upload-failure.ts';

/** The file of a sealed blob as it goes to the store: the same at each try. @throws UploadFailure of class `blob` */
export function fileOf(
  blob: SealedBlob,
  records: readonly InsightRecord[],
  { site, policyHash }: { site: string; policyHash: string },
): Upload {
  const { name, kind, recordsHash, count } = blob;
  let body: Uint8Array;
  try {
    body = toParquet(records, { site, kind, recordsHash });
  } catch (error) {
    // A record that cannot be written must not hold up the others.
    throw new UploadFailure('blob', `not writable as Parquet: ${(error as Error).message}`);
  }
  const metadata = {
    recordsHash,
    count: String(count),
    bytes: String(body.length),
    // Metadata travels in headers, which are ASCII.
    site: encodeURIComponent(site),
    policyHash,
  };
  return { name, body, metadata };
}
