import { zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { mustHold } from '../scenario.ts';
import type { KeptBlob } from './blob-store.ts';
import { STREAMS, streamName } from './forwarder-workload.ts';

type Row = Record<string, unknown>;

/**
 * All that was ever delivered, read as a data scientist would: each score of each stream once, each reading in one
 * rollup, each record in one blob. @throws FaultFound
 */
export async function checkDelivered(
  blobs: ReadonlyMap<string, KeptBlob>,
  ends: readonly number[],
): Promise<void> {
  const ids = new Set<string>();
  const scores = Array.from({ length: STREAMS }, () => new Set<number>());
  let rolledUp = 0;
  for (const [name, { body }] of blobs) {
    const kind = /kind=(\w+)\//.exec(name)?.[1];
    const rows = await rowsOf(body);
    for (const id of new Set(rows.map((row) => `${kind} ${row.id}`))) {
      mustHold(!ids.has(id), `record ${id} was delivered in two blobs`);
      ids.add(id);
    }
    if (kind === 'rollup') for (const row of rows) rolledUp += Number(row.scored);
    if (kind !== 'scores') continue;
    for (const row of rows) {
      const stream = scores.findIndex((_, index) => streamName(index) === row.stream);
      const seq = Number(row.seq);
      mustHold(!scores[stream]!.has(seq), `the score of row ${seq} was delivered twice`);
      scores[stream]!.add(seq);
    }
  }
  ends.forEach((end, stream) => {
    const { size } = scores[stream]!;
    mustHold(size === end, `${size} scores of ${streamName(stream)} were delivered, not ${end}`);
  });
  const applied = ends.reduce((sum, end) => sum + end, 0);
  mustHold(
    rolledUp === applied,
    `${rolledUp} readings are in rollups, and ${applied} were applied`,
  );
}

function rowsOf(body: Buffer): Promise<Row[]> {
  return parquetReadObjects({
    file: new Uint8Array(body).buffer,
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
  });
}
