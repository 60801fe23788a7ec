import { zstdDecompressSync } from 'node:zlib';
import { BlobServiceClient } from '@azure/storage-blob';
import { parquetReadObjects } from 'hyparquet';

const compressors = { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) };

/** Everything that arrived in storage, counted from the blobs alone. */
export interface ReadBack {
  blobs: number;
  bytes: number;
  records: number;
  /** Records whose id was already seen: must be 0. */
  duplicates: number;
  byKind: Record<string, number>;
  /** Readings that the rollups speak of, by outcome. */
  readings: { scored: number; rejected: number; unscored: number };
  anomalies: Anomaly[];
}

export interface Anomaly {
  id: string;
  asset: string;
  startT: number;
  /** Undefined while no closing record has arrived. */
  endT: number | undefined;
  peakScore: number;
  level: number;
}

/**
 * Reads every blob of a container and every record in it.
 * @param onRow told of every row; of `scores`, whose records have several, each row is one score
 */
export async function readBack(
  connectionString: string,
  container: string,
  onRow: (kind: string, row: Record<string, unknown>) => void = () => {},
): Promise<ReadBack> {
  const client =
    BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
  const found: ReadBack = {
    blobs: 0,
    bytes: 0,
    records: 0,
    duplicates: 0,
    byKind: {},
    readings: { scored: 0, rejected: 0, unscored: 0 },
    anomalies: [],
  };
  const seen = new Set<string>();
  const anomalies = new Map<string, Anomaly>();
  if (!(await client.exists())) return found;
  for await (const blob of client.listBlobsFlat()) {
    const bytes = await client.getBlobClient(blob.name).downloadToBuffer();
    found.blobs += 1;
    found.bytes += bytes.length;
    const kind = /(?:^|\/)kind=([^/]+)\//.exec(blob.name)?.[1] ?? 'unknown';
    const file = bytes.buffer.slice(
      bytes.byteOffset,
      bytes.byteOffset + bytes.length,
    ) as ArrayBuffer;
    const own = new Set<string>();
    for (const record of await parquetReadObjects({ file, compressors })) {
      onRow(kind, record);
      const id = String(record.id);
      // The scores of one record stand in successive rows under its id.
      if (kind === 'scores' && own.has(id)) continue;
      own.add(id);
      found.records += 1;
      found.byKind[kind] = (found.byKind[kind] ?? 0) + 1;
      if (seen.has(id)) found.duplicates += 1;
      seen.add(id);
      if (kind === 'rollup') {
        for (const outcome of ['scored', 'rejected', 'unscored'] as const) {
          found.readings[outcome] += Number(record[outcome]);
        }
      }
      if (kind === 'anomaly') note(anomalies, record);
    }
  }
  found.anomalies = [...anomalies.values()].sort((a, b) => a.startT - b.startT);
  return found;
}

function note(anomalies: Map<string, Anomaly>, record: Record<string, unknown>): void {
  const id = String(record.anomaly);
  const closed = record.phase === 'closed';
  const known = anomalies.get(id);
  if (known?.endT !== undefined) return;
  anomalies.set(id, {
    id,
    asset: String(record.asset),
    startT: Number(record.startT),
    endT: closed && record.endT !== null ? Number(record.endT) : undefined,
    peakScore: Number(record.peakScore),
    level: Number(record.level),
  });
}
