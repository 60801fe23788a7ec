import type { AssetReadings, BundleManifest } from '@holdfast/contracts';

/** Why a row was not scored although nothing is wrong with it. */
export type UnscoredCode = 'no-model' | 'window-filling' | 'missing-value' | 'unknown-signals';

/** Outcome of one row that needs no model run. `row` is an index into the asset's `seq`. */
export interface RowRejection {
  row: number;
  code: string;
  detail: string;
}

/** What to do with the rows of one asset: every row stands exactly once in `scored`, `rejected` or `unscored`. */
export interface AssetPlan {
  readonly asset: AssetReadings;
  /** Rows whose window is whole, ascending. */
  readonly scored: number[];
  readonly rejected: RowRejection[];
  readonly unscored: Map<UnscoredCode, number[]>;
  /** The asset's columns in the order of the model's signals, `[signal][row]`, without lookback. */
  readonly columns: readonly (readonly (number | null)[])[];
  /** Lookback and rows, `[row, signal]`, row-major; NaN where a value is missing. Empty if nothing is scored. */
  readonly matrix: Float32Array;
  /** Rows of lookback at the front of `matrix`. */
  readonly lookback: number;
}

type Inputs = BundleManifest['inputs'];

/**
 * Decides for each row of an asset whether there is a window to score. A window is `rows` consecutive rows that end
 * with the row. It never bridges a break. A break stands before a row that is more than `gapMsMax` later than the
 * one before or earlier than it (a clock that was set back); two rows of the same time are neighbours. A row with a
 * value out of range breaks the window on both sides, and so does, with fill `none`, a row with a missing value:
 * what they measured is not known, so the window fills anew after them.
 */
export function planAsset(asset: AssetReadings, inputs: Inputs): AssetPlan {
  const order = inputs.signals.map((signal) => asset.signals.indexOf(signal.name));
  if (order.includes(-1)) {
    return planWithout(asset, 'unknown-signals');
  }
  const columns = order.map((index) => asset.values[index]!);
  const earlier = order.map((index) => asset.lookback?.values[index] ?? []);
  const lookback = asset.lookback?.t.length ?? 0;
  const plan: AssetPlan = {
    asset,
    scored: [],
    rejected: [],
    unscored: new Map(),
    columns,
    matrix: matrixOf(earlier, columns, lookback, asset.t.length),
    lookback,
  };
  judgeRows(plan, inputs);
  return plan;
}

/** All rows unscored for one reason. */
export function planWithout(asset: AssetReadings, code: UnscoredCode): AssetPlan {
  const rows = asset.seq.map((_, row) => row);
  const unscored = new Map([[code, rows]]);
  const matrix = new Float32Array(0);
  return { asset, scored: [], rejected: [], unscored, columns: [], matrix, lookback: 0 };
}

function matrixOf(
  earlier: readonly (readonly (number | null)[])[],
  columns: readonly (readonly (number | null)[])[],
  lookback: number,
  rows: number,
): Float32Array {
  const width = columns.length;
  const matrix = new Float32Array((lookback + rows) * width);
  for (let signal = 0; signal < width; signal += 1) {
    const before = earlier[signal]!;
    const column = columns[signal]!;
    for (let row = 0; row < lookback; row += 1) {
      matrix[row * width + signal] = before[row] ?? Number.NaN;
    }
    for (let row = 0; row < rows; row += 1) {
      matrix[(lookback + row) * width + signal] = column[row] ?? Number.NaN;
    }
  }
  return matrix;
}

function judgeRows(plan: AssetPlan, inputs: Inputs): void {
  const { asset, matrix, lookback } = plan;
  const { rows: windowRows, gapMsMax, fill } = inputs;
  const earlierT = asset.lookback?.t ?? [];
  const width = inputs.signals.length;
  const total = lookback + asset.t.length;
  /** Consecutive usable rows that end with the current one. */
  let run = 0;
  let previousT: number | undefined;
  for (let index = 0; index < total; index += 1) {
    const row = index - lookback;
    const t = row < 0 ? earlierT[index]! : asset.t[row]!;
    if (previousT !== undefined && (t < previousT || t - previousT > gapMsMax)) run = 0;
    previousT = t;
    const broken = outOfRange(plan, index, inputs);
    if (broken !== undefined) {
      run = 0;
      if (row >= 0) plan.rejected.push({ row, code: 'OUT_OF_RANGE', detail: broken });
      continue;
    }
    if (fill === 'none' && hasMissing(matrix, index, width)) {
      run = 0;
      if (row >= 0) leave(plan, row, 'missing-value');
      continue;
    }
    run += 1;
    if (row < 0) continue;
    if (run < windowRows) leave(plan, row, 'window-filling');
    // With fill `hold` a value stands in for later ones, so only the oldest row of a window must be whole.
    else if (fill === 'hold' && hasMissing(matrix, index - windowRows + 1, width)) {
      leave(plan, row, 'missing-value');
    } else plan.scored.push(row);
  }
}

function leave(plan: AssetPlan, row: number, code: UnscoredCode): void {
  const rows = plan.unscored.get(code);
  if (rows === undefined) plan.unscored.set(code, [row]);
  else rows.push(row);
}

function hasMissing(matrix: Float32Array, index: number, width: number): boolean {
  for (let at = index * width; at < (index + 1) * width; at += 1) {
    if (Number.isNaN(matrix[at])) return true;
  }
  return false;
}

/** The first value out of its range, as a sentence, or undefined. Looks at the values as read, not as float32. */
function outOfRange(plan: AssetPlan, index: number, inputs: Inputs): string | undefined {
  const row = index - plan.lookback;
  // Without an iterator: called for each row, it made a third of the garbage of the module.
  for (let position = 0; position < inputs.signals.length; position += 1) {
    const { name, unit, min, max } = inputs.signals[position]!;
    if (min === undefined && max === undefined) continue;
    const value = row >= 0 ? plan.columns[position]![row] : earlierValue(plan.asset, name, index);
    if (value === null || value === undefined) continue;
    if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
      return `${name}: ${value} ${unit} is not within ${min ?? '-∞'} to ${max ?? '∞'}`;
    }
  }
  return undefined;
}

const earlierValue = (asset: AssetReadings, name: string, index: number) =>
  asset.lookback?.values[asset.signals.indexOf(name)]?.[index];

/** Copies the window that ends with `row` to `into` at `offset`, `[row, signal]`; missing values take the one before. */
export function writeWindow(
  plan: AssetPlan,
  row: number,
  inputs: Inputs,
  into: Float32Array,
  offset: number,
): void {
  const width = inputs.signals.length;
  const end = (plan.lookback + row + 1) * width;
  const start = end - inputs.rows * width;
  // Some hundred numbers: a loop is faster than a view on them for `set`.
  for (let at = start; at < end; at += 1) into[offset + at - start] = plan.matrix[at]!;
  if (inputs.fill !== 'hold') return;
  for (let at = offset + width; at < offset + end - start; at += 1) {
    if (Number.isNaN(into[at])) into[at] = into[at - width]!;
  }
}
