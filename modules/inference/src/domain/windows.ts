import type { BundleManifest } from '@holdfast/contracts';

/** Why a row was not scored although nothing is wrong with it. */
export type UnscoredCode =
  | 'no-model'
  | 'window-filling'
  | 'missing-value'
  | 'unknown-signals'
  | 'between-hops';

export type Inputs = BundleManifest['inputs'];

/** Rows of one asset, lookback first, as the model sees them. */
export interface RowTable {
  /** In ms; as they came, so they may go back. */
  readonly times: Float64Array;
  /** `[row, signal]`, row-major, after unit conversion; NaN where a value is missing. */
  readonly matrix: Float32Array;
}

/**
 * The windows of one asset. Rows are judged one by one, oldest first; whether the window of a row is whole, and what is
 * in it, depends on that row and the `lookbackOf` rows before it only, however many came along.
 */
export interface Windows {
  /** No window may hold rows from before and after this place. */
  cut(): void;
  /** Takes the next row; undefined when its window is whole. */
  take(index: number): UnscoredCode | undefined;
  /** Writes the window of a row that was found whole to `into` at `offset`, `[row, signal]`. */
  write(index: number, into: Float32Array, offset: number): void;
}
