import { zstdDecompressSync } from 'node:zlib';
import { BlobServiceClient } from '@azure/storage-blob';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';

export interface StoredBlob {
  name: string;
  kind: string;
  metadata: Record<string, string>;
  /** Key-value metadata inside the file. */
  notes: Record<string, string>;
  codecs: Set<string>;
  rows: Record<string, unknown>[];
}

/** Every blob of a container, read as a data scientist would. */
export async function readBack(connection: string, container = 'insights'): Promise<StoredBlob[]> {
  const client = BlobServiceClient.fromConnectionString(connection).getContainerClient(container);
  if (!(await client.exists())) return [];
  const blobs: StoredBlob[] = [];
  for await (const { name, metadata = {} } of client.listBlobsFlat({ includeMetadata: true })) {
    const body = await client.getBlobClient(name).downloadToBuffer();
    const file = new Uint8Array(body).buffer;
    const footer = parquetMetadata(file);
    blobs.push({
      name,
      kind: /kind=(\w+)\//.exec(name)?.[1] ?? '',
      metadata,
      notes: Object.fromEntries(
        (footer.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? '']),
      ),
      codecs: new Set(
        footer.row_groups.flatMap(({ columns }) => columns.map((c) => c.meta_data?.codec ?? '')),
      ),
      rows: await parquetReadObjects({
        file,
        compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
      }),
    });
  }
  return blobs;
}

/** How often each record id stands in the blobs of a kind. */
export function idsOf(blobs: readonly StoredBlob[], kind: string): Map<string, number> {
  const ids = new Map<string, number>();
  for (const blob of blobs) {
    if (blob.kind !== kind) continue;
    for (const id of new Set(blob.rows.map((row) => String(row.id)))) {
      ids.set(id, (ids.get(id) ?? 0) + 1);
    }
  }
  return ids;
}
