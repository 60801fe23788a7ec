import { lookbackOf } from '@holdfast/contracts';
import type { Inputs, RowTable, UnscoredCode, Windows } from './windows.ts';

/**
 * Windows of points of time, `periodMs` apart, that end at the time of the row to score. Each signal stands for itself:
 * a row without its value is no row for it. Its values form a *chain* as long as no two neighbours are more than
 * `gapMsMax` apart and nothing cuts. A window is whole when the chain of every signal reaches from its oldest point, or
 * before it, to within `gapMsMax` of the row; with `mean` and fill `none` also when every period holds a value. Of
 * all rows only the row and the `lookbackOf` rows before it count, so that the answer does not depend on how many
 * came along.
 */
export class ResampledWindows implements Windows {
  readonly #table: RowTable;
  readonly #inputs: Inputs;
  readonly #lookback: number;
  readonly #width: number;
  /** For each signal: first row of its present chain; the newest value in it, -1 if there is no chain. */
  readonly #chainFrom: Int32Array;
  readonly #newest: Int32Array;
  /** For each signal: the last value that is more than a period after the one before. */
  readonly #sparseAt: Int32Array;
  /** For each row: the first row since the last cut. */
  readonly #sinceCut: Int32Array;
  #cutPending = true;

  constructor(table: RowTable, inputs: Inputs) {
    this.#table = table;
    this.#inputs = inputs;
    this.#lookback = lookbackOf({ inputs });
    this.#width = inputs.signals.length;
    this.#chainFrom = new Int32Array(this.#width);
    this.#newest = new Int32Array(this.#width).fill(-1);
    this.#sparseAt = new Int32Array(this.#width).fill(-1);
    this.#sinceCut = new Int32Array(table.times.length);
  }

  cut(): void {
    this.#newest.fill(-1);
    this.#cutPending = true;
  }

  take(index: number): UnscoredCode | undefined {
    const { times, matrix } = this.#table;
    const { gapMsMax, periodMs } = this.#inputs;
    this.#sinceCut[index] = this.#cutPending ? index : this.#sinceCut[index - 1]!;
    this.#cutPending = false;
    for (let signal = 0; signal < this.#width; signal += 1) {
      if (Number.isNaN(matrix[index * this.#width + signal])) continue;
      const before = this.#newest[signal]!;
      const distance = before < 0 ? Number.POSITIVE_INFINITY : times[index]! - times[before]!;
      if (distance > gapMsMax) this.#chainFrom[signal] = index;
      if (distance > periodMs) this.#sparseAt[signal] = index;
      this.#newest[signal] = index;
    }
    let filling = false;
    for (let signal = 0; signal < this.#width; signal += 1) {
      const verdict = this.#judge(signal, index);
      if (verdict === 'missing-value') return verdict;
      filling ||= verdict !== undefined;
    }
    return filling ? 'window-filling' : undefined;
  }

  #judge(signal: number, index: number): UnscoredCode | undefined {
    const { times, matrix } = this.#table;
    const { rows, periodMs, gapMsMax, fill, resample } = this.#inputs;
    const from = Math.max(0, index - this.#lookback);
    const newest = this.#newest[signal]!;
    if (newest < from || times[index]! - times[newest]! > gapMsMax) return 'missing-value';
    let first = Math.max(this.#chainFrom[signal]!, from);
    while (Number.isNaN(matrix[first * this.#width + signal])) first += 1;
    const oldest = times[index]! - (rows - 1) * periodMs;
    if (times[first]! > oldest) return 'window-filling';
    if (resample?.method !== 'mean' || fill !== 'none') return undefined;
    if (times[newest]! <= times[index]! - periodMs) return 'missing-value';
    // Neighbours no more than a period apart leave no period without a value.
    if (this.#sparseAt[signal]! <= first) return undefined;
    return this.#everyPeriod(signal, first, index) ? undefined : 'missing-value';
  }

  #everyPeriod(signal: number, first: number, index: number): boolean {
    const { times, matrix } = this.#table;
    const { rows, periodMs } = this.#inputs;
    const oldest = times[index]! - (rows - 1) * periodMs;
    let covered = -1;
    for (let row = first; row <= index; row += 1) {
      if (Number.isNaN(matrix[row * this.#width + signal])) continue;
      const period = Math.ceil((times[row]! - oldest) / periodMs);
      if (period > covered + 1) return false;
      covered = Math.max(covered, period);
    }
    return covered === rows - 1;
  }

  write(index: number, into: Float32Array, offset: number): void {
    for (let signal = 0; signal < this.#width; signal += 1) {
      if (this.#inputs.resample?.method === 'mean') this.#writeMeans(index, signal, into, offset);
      else this.#writePoints(index, signal, into, offset);
    }
  }

  /** From the newest point to the oldest, and no further than the value at it: never across a cut. */
  #writePoints(index: number, signal: number, into: Float32Array, offset: number): void {
    const { times, matrix } = this.#table;
    const { rows, periodMs, resample } = this.#inputs;
    const width = this.#width;
    const linear = resample?.method === 'linear';
    let row = index;
    /** The value right after the point, if there is one. */
    let after = -1;
    for (let point = rows - 1; point >= 0; point -= 1) {
      const time = times[index]! - (rows - 1 - point) * periodMs;
      while (times[row]! > time || Number.isNaN(matrix[row * width + signal])) {
        if (!Number.isNaN(matrix[row * width + signal])) after = row;
        row -= 1;
      }
      const before = matrix[row * width + signal]!;
      const at = offset + point * width + signal;
      if (!linear || after < 0 || times[row] === time) into[at] = before;
      else {
        const part = (time - times[row]!) / (times[after]! - times[row]!);
        into[at] = before + (matrix[after * width + signal]! - before) * part;
      }
    }
  }

  #writeMeans(index: number, signal: number, into: Float32Array, offset: number): void {
    const { times, matrix } = this.#table;
    const { rows, periodMs, gapMsMax } = this.#inputs;
    const width = this.#width;
    const from = Math.max(this.#sinceCut[index]!, index - this.#lookback);
    let row = index;
    let newerMs = times[index]!;
    for (let point = rows - 1; point >= 0; point -= 1) {
      const start = times[index]! - (rows - point) * periodMs;
      let sum = 0;
      let count = 0;
      for (; row >= from && times[row]! > start; row -= 1) {
        const value = matrix[row * width + signal]!;
        if (Number.isNaN(value)) continue;
        // The oldest period may reach to before the chain.
        if (newerMs - times[row]! > gapMsMax) break;
        newerMs = times[row]!;
        sum += value;
        count += 1;
      }
      into[offset + point * width + signal] =
        count > 0 ? sum / count : this.#valueUpTo(row, signal);
    }
  }

  #valueUpTo(row: number, signal: number): number {
    const { matrix } = this.#table;
    let at = row;
    while (Number.isNaN(matrix[at * this.#width + signal])) at -= 1;
    return matrix[at * this.#width + signal]!;
  }
}
