import { type ChunkWriter, chunkEnd } from './chunk-writer.ts';
import type { Partition } from './partition.ts';
import type { JournalReading } from './port.ts';

/** Inside a transaction: inserts rows behind the last one, as chunks; gives their bytes. */
export function insertRows(
  writer: ChunkWriter,
  stream: Partition,
  rows: readonly JournalReading[],
  wallMs: number,
): number {
  const { partition, storedAppended } = stream;
  let bytes = 0;
  let start = 0;
  while (start < rows.length) {
    const end = chunkEnd(rows, start);
    const place = { partition, first: storedAppended + 1 + start, last: storedAppended + end };
    const part = start === 0 && end === rows.length ? rows : rows.slice(start, end);
    const body = writer.write(part, place, wallMs);
    stream.insert(place.first, place.last, body);
    bytes += body.length;
    start = end;
  }
  return bytes;
}
