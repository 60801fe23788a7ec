import type { Inputs, RowTable, UnscoredCode, Windows } from './windows.ts';

/**
 * Windows of consecutive rows as they came. A hole of more than `gapMsMax` cuts. With fill `none`, so does a row with
 * a missing value on both sides: what it measured is not known, so the window fills anew after it. Otherwise the rows
 * at the ends from which a value is taken must be whole (`hold`: the oldest; `linear`: the newest as well), and no
 * missing value of the window may be further from them than `fillMsMax`.
 */
export class RowWindows implements Windows {
  readonly #table: RowTable;
  readonly #inputs: Inputs;
  /** Consecutive usable rows that end with the current one. */
  #run = 0;
  /** Last row that no window may hold beside the row before it, because a missing value would be filled too far. */
  #farFill = -1;
  /** Row of the newest value of each signal, -1 before the first one; only kept with `fillMsMax`. */
  readonly #valueAt: Int32Array;

  constructor(table: RowTable, inputs: Inputs) {
    this.#table = table;
    this.#inputs = inputs;
    this.#valueAt = new Int32Array(inputs.fillMsMax === undefined ? 0 : inputs.signals.length).fill(
      -1,
    );
  }

  cut(): void {
    this.#run = 0;
  }

  take(index: number): UnscoredCode | undefined {
    const { matrix, times } = this.#table;
    const { rows, fill, gapMsMax, signals } = this.#inputs;
    const width = signals.length;
    if (index > 0 && times[index]! - times[index - 1]! > gapMsMax) this.cut();
    if (fill === 'none' && hasMissing(matrix, index, width)) {
      this.cut();
      return 'missing-value';
    }
    this.#run += 1;
    if (this.#valueAt.length > 0) this.#watchFills(index);
    if (this.#run < rows) return 'window-filling';
    if (fill === 'none') return undefined;
    const oldest = index - rows + 1;
    if (hasMissing(matrix, oldest, width)) return 'missing-value';
    if (fill === 'linear' && hasMissing(matrix, index, width)) return 'missing-value';
    return this.#farFill > oldest ? 'missing-value' : undefined;
  }

  #watchFills(index: number): void {
    const { matrix, times } = this.#table;
    const { fill, fillMsMax, signals } = this.#inputs;
    for (let signal = 0; signal < signals.length; signal += 1) {
      const before = this.#valueAt[signal]!;
      const missing = Number.isNaN(matrix[index * signals.length + signal]);
      const far = before >= 0 && times[index]! - times[before]! > fillMsMax!;
      // A value right after the one before leaves nothing to fill, however far it is.
      if (far && (fill === 'hold' ? missing : !missing && index - before > 1))
        this.#farFill = index;
      if (!missing) this.#valueAt[signal] = index;
    }
  }

  write(index: number, into: Float32Array, offset: number): void {
    const { matrix } = this.#table;
    const { rows, fill, signals } = this.#inputs;
    const width = signals.length;
    const end = (index + 1) * width;
    const start = end - rows * width;
    // Some hundred numbers: a loop is faster than a view on them for `set`.
    for (let at = start; at < end; at += 1) into[offset + at - start] = matrix[at]!;
    if (fill === 'none') return;
    const oldest = index - rows + 1;
    for (let at = offset + width; at < offset + end - start; at += 1) {
      if (!Number.isNaN(into[at])) continue;
      const before = into[at - width]!;
      into[at] = fill === 'hold' ? before : this.#between(oldest, at - offset, before);
    }
  }

  /** On the straight line from the row before, which is filled already, to the next value; the newest row has one. */
  #between(oldest: number, place: number, before: number): number {
    const { matrix, times } = this.#table;
    const width = this.#inputs.signals.length;
    const row = oldest + Math.floor(place / width);
    const signal = place % width;
    let next = row + 1;
    while (Number.isNaN(matrix[next * width + signal])) next += 1;
    const span = times[next]! - times[row - 1]!;
    const part = span === 0 ? 0 : (times[row]! - times[row - 1]!) / span;
    return before + (matrix[next * width + signal]! - before) * part;
  }
}

function hasMissing(matrix: Float32Array, index: number, width: number): boolean {
  for (let at = index * width; at < (index + 1) * width; at += 1) {
    if (Number.isNaN(matrix[at])) return true;
  }
  return false;
}
