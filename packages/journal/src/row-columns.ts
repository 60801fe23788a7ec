import type { Chunk, ChunkGroup } from './chunk.ts';

/** Rows of one group, oldest first, as columns. */
export interface RowColumns {
  seq: number[];
  t: number[];
  /** Characters of JSON of each row, without its sequence number. */
  sizes: number[];
  /** `[signal][row]` */
  values: (number | null)[][];
}

export const noRows = (signals: number): RowColumns => ({
  seq: [],
  t: [],
  sizes: [],
  values: Array.from({ length: signals }, () => []),
});

/** Drops all but the newest `keep` rows. */
export function keepNewest(rows: RowColumns, keep: number): void {
  const excess = rows.seq.length - keep;
  if (excess <= 0) return;
  rows.seq = rows.seq.slice(excess);
  rows.t = rows.t.slice(excess);
  rows.sizes = rows.sizes.slice(excess);
  rows.values = rows.values.map((column) => column.slice(excess));
}

/** Rows of each group of a chunk before row `end`. */
export function countByGroup(chunk: Chunk, end: number): Uint32Array {
  const counts = new Uint32Array(chunk.groups.length);
  if (chunk.groupOf === undefined) counts[0] = end;
  else for (let row = 0; row < end; row += 1) counts[chunk.groupOf[row]!]! += 1;
  return counts;
}

/**
 * Appends rows `start..end` (end excluded) of a chunk to the columns that `targetOf` names for each group;
 * `offset` is taken off the stored sequence numbers.
 */
export function appendRows(
  chunk: Chunk,
  range: { start: number; end: number; offset: number },
  targetOf: (group: ChunkGroup, index: number) => RowColumns,
): void {
  const { start, end } = range;
  const before = countByGroup(chunk, start);
  const through = countByGroup(chunk, end);
  const seqBase = chunk.first - range.offset;
  const targets: (RowColumns | undefined)[] = [];
  for (let index = 0; index < chunk.groups.length; index += 1) {
    const from = before[index]!;
    const to = through[index]!;
    if (from === to) {
      targets.push(undefined);
      continue;
    }
    const group = chunk.groups[index]!;
    const target = targetOf(group, index);
    targets.push(target);
    group.times.times(group.from + from, group.from + to, group.base, target.t);
    for (let signal = 0; signal < group.columns.length; signal += 1) {
      group.columns[signal]!.values(group.from + from, group.from + to, target.values[signal]!);
    }
  }
  const { groupOf, sizes } = chunk;
  for (let row = start; row < end; row += 1) {
    const target = targets[groupOf === undefined ? 0 : groupOf[row]!]!;
    target.seq.push(seqBase + row);
    target.sizes.push(sizes[row]!);
  }
}
