import type { Chunk } from './chunk.ts';
import { appendRows, keepNewest, noRows, type RowColumns } from './row-columns.ts';

/**
 * How far back lookback reaches, in rows of the partition, whatever the assets. A fixed distance, and not "the last
 * rows of each asset, wherever they are", makes lookback a function of the stored rows and `after` alone: pruning
 * keeps exactly this many rows behind the receipt, and an asset that fell silent long ago costs nothing. It bounds
 * memory as well, to about 5 MB a partition of 8 signals. 1,000 assets at 1 Hz in 4 partitions still have 262 rows each.
 */
export const LOOKBACK_SPAN = 65_536;

/**
 * The last rows of every group up to a position of one partition: what a batch after that position takes as
 * lookback. It follows a reader that goes forward; for any other position it is built anew from the stored rows.
 */
export class Tail {
  /** Stored sequence number up to which rows were taken in. */
  position: number;
  readonly lookback: number;
  readonly #groups = new Map<string, Map<string, RowColumns>>();
  #sweptAt: number;

  readonly #span: number;

  constructor(position: number, lookback: number, span: number) {
    this.#span = span;
    this.position = position;
    this.lookback = lookback;
    this.#sweptAt = position;
  }

  /** Takes in all rows of a chunk after `position`, up to and including `through`. */
  takeChunk(chunk: Chunk, through: number): void {
    const start = Math.max(0, this.position + 1 - chunk.first);
    const end = Math.min(chunk.last, through) - chunk.first + 1;
    if (end <= start) return;
    appendRows(chunk, { start, end, offset: 0 }, (group) =>
      this.#rowsOf(group.signalsKey, group.asset, group.columns.length),
    );
    this.#moveTo(chunk.first + end - 1);
  }

  /** Takes in rows of one group that were read as a batch; `seq` less `offset` is what the batch calls them. */
  takeRows(signalsKey: string, asset: string, rows: RowColumns, offset: number): void {
    const target = this.#rowsOf(signalsKey, asset, rows.values.length);
    // Of many rows only the last can be wanted.
    const from = Math.max(0, rows.seq.length - this.lookback);
    for (let row = from; row < rows.seq.length; row += 1) {
      target.seq.push(rows.seq[row]! + offset);
      target.t.push(rows.t[row]!);
      target.sizes.push(rows.sizes[row]!);
    }
    for (let signal = 0; signal < rows.values.length; signal += 1) {
      const column = rows.values[signal]!;
      const to = target.values[signal]!;
      for (let row = from; row < column.length; row += 1) to.push(column[row]!);
    }
    if (target.seq.length > 2 * this.lookback + 16) keepNewest(target, this.lookback);
  }

  /** After the `takeRows` of a batch. */
  moved(position: number): void {
    this.#moveTo(position);
  }

  /** The newest rows of a group, at most `lookback` and none older than the span; undefined if there are none. */
  newest(signalsKey: string, asset: string): RowColumns | undefined {
    const rows = this.#groups.get(signalsKey)?.get(asset);
    if (rows === undefined) return undefined;
    const oldest = this.position - this.#span;
    let from = Math.max(0, rows.seq.length - this.lookback);
    while (from < rows.seq.length && rows.seq[from]! <= oldest) from += 1;
    if (from === rows.seq.length) return undefined;
    keepNewest(rows, rows.seq.length - from);
    return rows;
  }

  #rowsOf(signalsKey: string, asset: string, signals: number): RowColumns {
    let assets = this.#groups.get(signalsKey);
    if (assets === undefined) {
      assets = new Map();
      this.#groups.set(signalsKey, assets);
    }
    let rows = assets.get(asset);
    if (rows === undefined) {
      rows = noRows(signals);
      assets.set(asset, rows);
    } else if (rows.seq.length > 2 * this.lookback + 16) keepNewest(rows, this.lookback);
    return rows;
  }

  #moveTo(position: number): void {
    this.position = position;
    if (position - this.#sweptAt < this.#span) return;
    this.#sweptAt = position;
    for (const [signalsKey, assets] of this.#groups) {
      for (const asset of assets.keys()) {
        if (this.newest(signalsKey, asset) === undefined) assets.delete(asset);
      }
      if (assets.size === 0) this.#groups.delete(signalsKey);
    }
  }
}
