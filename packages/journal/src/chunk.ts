import { crc32 } from 'node:zlib';
import { ColumnReader } from './column.ts';

/**
 * A chunk: the rows of one commit and partition, as one blob. Little-endian:
 *
 *     u32 crc | u32 version | f64 acceptedMs | u32 rows | u32 names bytes | names as JSON
 *     u16 JSON size of each row | u16 group of each row (only if there are several groups)
 *     for each signal set: pad to 8, f64 first time, u8 descriptor of each column, columns: times, then signals
 *
 * Names are `[signal sets, assets, set of each asset, rows of each asset]`: a group is one asset with one set of
 * signals. Columns span all groups of a set, one group after the other, rows in order of sequence. The CRC covers
 * everything behind it, begun with partition and range, so that a blob in the wrong place is found as well.
 */
export const VERSION = 1;
/** In place of rows that are lost: see gap.ts. */
export const GAP_VERSION = 2;
export const HEADER_BYTES = 24;

export type Names = [sets: string[][], assets: string[], setOf: number[], rowsOf: number[]];

export interface ChunkGroup {
  asset: string;
  signals: string[];
  /** Equal for equal sets of signals in any chunk. */
  signalsKey: string;
  /** Rows of this group, and where they begin in the columns. */
  rows: number;
  from: number;
  base: number;
  times: ColumnReader;
  columns: ColumnReader[];
}

export interface Chunk {
  first: number;
  last: number;
  acceptedMs: number;
  groups: ChunkGroup[];
  /** Characters of JSON of each row without its sequence number, commas included. */
  sizes: Uint16Array;
  /** Index into `groups` of each row; undefined when there is only one. */
  groupOf: Uint16Array | undefined;
}

/** Where a chunk belongs; part of its checksum. */
export interface ChunkPlace {
  partition: number;
  first: number;
  last: number;
}

/** Undefined when the bytes are not those that were written for this place. */
export function readChunk(body: Buffer, place: ChunkPlace): Chunk | undefined {
  if (body.length < HEADER_BYTES || body.readUInt32LE(0) !== checksum(body, place))
    return undefined;
  if (body.readUInt32LE(4) !== VERSION) return undefined;
  // Typed arrays need aligned offsets, which a pooled Buffer does not have.
  const whole = body.byteOffset % 8 === 0 ? body : Buffer.from(new Uint8Array(body).buffer);
  const source = whole.buffer as ArrayBuffer;
  const origin = whole.byteOffset;
  const rows = whole.readUInt32LE(16);
  const namesBytes = whole.readUInt32LE(20);
  const names = JSON.parse(
    whole.toString('utf8', HEADER_BYTES, HEADER_BYTES + namesBytes),
  ) as Names;
  let at = origin + even(HEADER_BYTES + namesBytes);
  const sizes = new Uint16Array(source, at, rows);
  at += sizes.byteLength;
  let groupOf: Uint16Array | undefined;
  if (names[1].length > 1) {
    groupOf = new Uint16Array(source, at, rows);
    at += groupOf.byteLength;
  }
  const groups = readGroups(source, at, names);
  return {
    first: place.first,
    last: place.last,
    acceptedMs: whole.readDoubleLE(8),
    groups,
    sizes,
    groupOf,
  };
}

function readGroups(source: ArrayBuffer, start: number, names: Names): ChunkGroup[] {
  const [sets, assets, setOf, rowsOf] = names;
  const rowsOfSet = sets.map(() => 0);
  const groups: ChunkGroup[] = [];
  for (let index = 0; index < assets.length; index += 1)
    rowsOfSet[setOf[index]!]! += rowsOf[index]!;
  let at = start;
  const blocks = sets.map((signals, set) => {
    const base = (at + 7) & ~7;
    const view = new DataView(source, base, 9 + signals.length);
    const times = new ColumnReader(
      source,
      base + 9 + signals.length,
      rowsOfSet[set]!,
      view.getUint8(8),
    );
    at = times.end;
    const columns = signals.map((_, signal) => {
      const column = new ColumnReader(source, at, rowsOfSet[set]!, view.getUint8(9 + signal));
      at = column.end;
      return column;
    });
    return {
      signals,
      signalsKey: signals.join('\n'),
      base: view.getFloat64(0, true),
      times,
      columns,
      filled: 0,
    };
  });
  for (let index = 0; index < assets.length; index += 1) {
    const block = blocks[setOf[index]!]!;
    const { signals, signalsKey, base, times, columns, filled } = block;
    const rows = rowsOf[index]!;
    groups.push({
      asset: assets[index]!,
      signals,
      signalsKey,
      rows,
      from: filled,
      base,
      times,
      columns,
    });
    block.filled += rows;
  }
  return groups;
}

export const even = (offset: number): number => (offset + 1) & ~1;

/** Another place gives another beginning, and so another sum for the same bytes. */
export const checksum = (body: Buffer, { partition, first, last }: ChunkPlace): number =>
  crc32(body.subarray(4), (first * 31 + last * 7 + partition) % 2 ** 32);
