import type { AssetReadings } from '@holdfast/contracts';
import { ResampledWindows } from './resampled-windows.ts';
import { RowWindows } from './row-windows.ts';
import type { Inputs, RowTable, UnscoredCode, Windows } from './windows.ts';

export type { UnscoredCode };

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
  /** Lookback and rows, as the model sees them. Empty if nothing is scored. */
  readonly table: RowTable;
  /** Rows of lookback at the front of `table`. */
  readonly lookback: number;
  /** Absent if nothing is scored. */
  readonly windows?: Windows;
}

/**
 * Decides for each row of an asset whether there is a window to score; see `RowWindows` and `ResampledWindows`. No
 * window bridges a row that is earlier than the one before (a clock that was set back), nor one with a value out of
 * range: what it measured is not known. Two rows of the same time are neighbours.
 */
export function planAsset(asset: AssetReadings, inputs: Inputs): AssetPlan {
  const order = inputs.signals.map((signal) => asset.signals.indexOf(signal.name));
  if (order.includes(-1)) {
    return planWithout(asset, 'unknown-signals');
  }
  const columns = order.map((index) => asset.values[index]!);
  const earlier = order.map((index) => asset.lookback?.values[index] ?? []);
  const lookback = asset.lookback?.t.length ?? 0;
  const table = {
    times: timesOf(asset, lookback),
    matrix: matrixOf(earlier, columns, lookback, asset.t.length, inputs),
  };
  const plan: AssetPlan = {
    asset,
    scored: [],
    rejected: [],
    unscored: new Map(),
    columns,
    table,
    lookback,
    windows:
      inputs.resample === undefined
        ? new RowWindows(table, inputs)
        : new ResampledWindows(table, inputs),
  };
  judgeRows(plan, inputs, plan.windows!);
  return plan;
}

/** All rows unscored for one reason. */
export function planWithout(asset: AssetReadings, code: UnscoredCode): AssetPlan {
  const rows = asset.seq.map((_, row) => row);
  const unscored = new Map([[code, rows]]);
  const table = { times: new Float64Array(0), matrix: new Float32Array(0) };
  return { asset, scored: [], rejected: [], unscored, columns: [], table, lookback: 0 };
}

/** Writes the window of a scored row to `into` at `offset`, `[row, signal]`. */
export function writeWindow(
  plan: AssetPlan,
  row: number,
  into: Float32Array,
  offset: number,
): void {
  plan.windows!.write(plan.lookback + row, into, offset);
}

function timesOf(asset: AssetReadings, lookback: number): Float64Array {
  const times = new Float64Array(lookback + asset.t.length);
  if (lookback > 0) times.set(asset.lookback!.t);
  times.set(asset.t, lookback);
  return times;
}

/** Missing values become NaN; the others what the model is to see of them. */
function matrixOf(
  earlier: readonly (readonly (number | null)[])[],
  columns: readonly (readonly (number | null)[])[],
  lookback: number,
  rows: number,
  inputs: Inputs,
): Float32Array {
  const width = columns.length;
  const matrix = new Float32Array((lookback + rows) * width);
  for (let signal = 0; signal < width; signal += 1) {
    const before = earlier[signal]!;
    const column = columns[signal]!;
    // Adding -0 leaves every number as it is, -0 too.
    const { scale = 1, offset = -0 } = inputs.signals[signal]!;
    for (let row = 0; row < lookback; row += 1) {
      matrix[row * width + signal] = (before[row] ?? Number.NaN) * scale + offset;
    }
    for (let row = 0; row < rows; row += 1) {
      matrix[(lookback + row) * width + signal] = (column[row] ?? Number.NaN) * scale + offset;
    }
  }
  return matrix;
}

function judgeRows(plan: AssetPlan, inputs: Inputs, windows: Windows): void {
  const { lookback } = plan;
  const { times } = plan.table;
  const { hopMs } = inputs;
  for (let index = 0; index < times.length; index += 1) {
    const row = index - lookback;
    if (index > 0 && times[index]! < times[index - 1]!) windows.cut();
    const broken = outOfRange(plan, index, inputs);
    if (broken !== undefined) {
      windows.cut();
      if (row >= 0) plan.rejected.push({ row, code: 'OUT_OF_RANGE', detail: broken });
      continue;
    }
    const verdict = windows.take(index);
    if (row < 0) continue;
    if (hopMs !== undefined && !beginsHop(times, index, hopMs)) leave(plan, row, 'between-hops');
    else if (verdict === undefined) plan.scored.push(row);
    else leave(plan, row, verdict);
  }
}

/** Hops are stretches of time since 1970, so that no count has to survive and every run finds the same rows. */
const beginsHop = (times: Float64Array, index: number, hopMs: number): boolean =>
  index === 0 || Math.floor(times[index]! / hopMs) !== Math.floor(times[index - 1]! / hopMs);

function leave(plan: AssetPlan, row: number, code: UnscoredCode): void {
  const rows = plan.unscored.get(code);
  if (rows === undefined) plan.unscored.set(code, [row]);
  else rows.push(row);
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
