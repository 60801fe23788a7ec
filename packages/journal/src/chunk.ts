import { crc32 } from 'node:zlib';
import { ColumnReader, ColumnWriter } from './column.ts';
import { JournalError } from './errors.ts';
import type { JournalReading } from './port.ts';

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
const VERSION = 1;
const HEADER_BYTES = 24;

/** Bounds what one read decodes at once: 4,096 rows of 8 signals are about 100 kB stored. */
export const CHUNK_ROWS_MAX = 4_096;
/** The same for wide rows. */
export const CHUNK_CELLS_MAX = 65_536;

type Names = [sets: string[][], assets: string[], setOf: number[], rowsOf: number[]];

interface GroupRows {
  asset: string;
  set: number;
  rows: number[];
}

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

/** Makes chunks; holds the scratch memory that they are made in, so one result is valid until the next call. */
export class ChunkWriter {
  #scratch = new ArrayBuffer(256 * 1024);
  readonly #column = new ColumnWriter();

  /** @throws JournalError JOURNAL_READING for a row that cannot be stored */
  write(readings: readonly JournalReading[], place: ChunkPlace, acceptedMs: number): Buffer {
    const { groups, sets } = groupsOf(readings);
    const names: Names = [
      sets as string[][],
      groups.map((group) => group.asset),
      groups.map((group) => group.set),
      groups.map((group) => group.rows.length),
    ];
    const namesJson = JSON.stringify(names);
    const cells = groups.reduce((sum, g) => sum + g.rows.length * (sets[g.set]!.length + 1), 0);
    const target = this.#room(
      HEADER_BYTES + namesJson.length * 3 + readings.length * 4 + cells * 8 + sets.length * 4096,
    );
    const bytes = Buffer.from(target);
    const namesBytes = bytes.write(namesJson, HEADER_BYTES, 'utf8');
    let at = even(HEADER_BYTES + namesBytes);
    const sizes = new Uint16Array(target, at, readings.length).fill(0);
    at += sizes.byteLength;
    if (groups.length > 1) {
      const groupOf = new Uint16Array(target, at, readings.length);
      groups.forEach((group, index) => {
        for (const row of group.rows) groupOf[row] = index;
      });
      at += groupOf.byteLength;
    }
    for (let set = 0; set < sets.length; set += 1) {
      at = this.#writeSet(
        target,
        at,
        readings,
        { signals: sets[set]!, groups: groups.filter((g) => g.set === set) },
        sizes,
      );
    }
    bytes.writeUInt32LE(VERSION, 4);
    bytes.writeDoubleLE(acceptedMs, 8);
    bytes.writeUInt32LE(readings.length, 16);
    bytes.writeUInt32LE(namesBytes, 20);
    const body = bytes.subarray(0, at);
    body.writeUInt32LE(checksum(body, place), 0);
    return body;
  }

  #writeSet(
    target: ArrayBuffer,
    start: number,
    readings: readonly JournalReading[],
    set: { signals: readonly string[]; groups: GroupRows[] },
    sizes: Uint16Array,
  ): number {
    const column = this.#column;
    const base = (start + 7) & ~7;
    const descriptors = base + 8;
    let at = descriptors + 1 + set.signals.length;
    const bytes = new Uint8Array(target);
    const rows = set.groups.reduce((sum, group) => sum + group.rows.length, 0);
    column.start(rows);
    for (const group of set.groups) {
      for (const row of group.rows) sizes[row]! += column.pushTime(readings[row]!.t) + 1;
    }
    new DataView(target).setFloat64(base, column.base, true);
    bytes[descriptors] = column.descriptor;
    at = column.write(target, at);
    for (let signal = 0; signal < set.signals.length; signal += 1) {
      column.start(rows);
      for (const group of set.groups) {
        for (const row of group.rows) {
          const chars = column.push(readings[row]!.values[signal]!);
          if (Number.isNaN(chars)) throw notStorable(readings[row]!, set.signals[signal]!);
          sizes[row]! += chars + 1;
        }
      }
      bytes[descriptors + 1 + signal] = column.descriptor;
      at = column.write(target, at);
    }
    return at;
  }

  #room(bytes: number): ArrayBuffer {
    if (this.#scratch.byteLength < bytes) this.#scratch = new ArrayBuffer(bytes * 2);
    return this.#scratch;
  }
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

/** Sorts rows into groups, in order of first appearance. @throws JournalError JOURNAL_READING */
function groupsOf(readings: readonly JournalReading[]): {
  groups: GroupRows[];
  sets: (readonly string[])[];
} {
  const groups: GroupRows[] = [];
  const sets: (readonly string[])[] = [];
  const byAsset = new Map<string, GroupRows[]>();
  for (let row = 0; row < readings.length; row += 1) {
    const { asset, signals, values, t } = readings[row]!;
    if (values.length !== signals.length || signals.length === 0 || !Number.isSafeInteger(t)) {
      throw notStorable(readings[row]!, undefined);
    }
    let known = byAsset.get(asset);
    if (known === undefined) {
      known = [];
      byAsset.set(asset, known);
    }
    let group: GroupRows | undefined;
    for (const candidate of known) {
      if (sameSignals(sets[candidate.set]!, signals)) group = candidate;
    }
    if (group === undefined) {
      let set = sets.findIndex((candidate) => sameSignals(candidate, signals));
      if (set < 0) set = sets.push(signals) - 1;
      group = { asset, set, rows: [] };
      known.push(group);
      groups.push(group);
    }
    group.rows.push(row);
  }
  return { groups, sets };
}

function sameSignals(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

const notStorable = (reading: JournalReading, signal: string | undefined): JournalError =>
  new JournalError(
    'JOURNAL_READING',
    signal === undefined
      ? `A reading of ${reading.asset} needs a whole time and as many values as signals, at least one.`
      : `Signal ${signal} of ${reading.asset} is neither a finite number nor null.`,
  );

const even = (offset: number): number => (offset + 1) & ~1;

/** Another place gives another beginning, and so another sum for the same bytes. */
const checksum = (body: Buffer, { partition, first, last }: ChunkPlace): number =>
  crc32(body.subarray(4), (first * 31 + last * 7 + partition) % 2 ** 32);
