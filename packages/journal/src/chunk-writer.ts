import { type ChunkPlace, checksum, even, HEADER_BYTES, type Names, VERSION } from './chunk.ts';
import { ColumnWriter } from './column.ts';
import { JournalError } from './errors.ts';
import type { JournalReading } from './port.ts';

/** Bounds what one read decodes at once: 4,096 rows of 8 signals are about 100 kB stored. */
const CHUNK_ROWS_MAX = 4_096;
/** The same for wide rows. */
const CHUNK_CELLS_MAX = 65_536;

interface GroupRows {
  asset: string;
  set: number;
  rows: number[];
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

/** End of the chunk that begins at `start`, within the bounds of a chunk. */
export function chunkEnd(rows: readonly JournalReading[], start: number): number {
  let cells = 0;
  let end = start;
  while (end < rows.length && end - start < CHUNK_ROWS_MAX) {
    cells += rows[end]!.signals.length + 1;
    if (cells > CHUNK_CELLS_MAX && end > start) break;
    end += 1;
  }
  return end;
}
