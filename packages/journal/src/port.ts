/** One accepted reading, as a source hands it in. `values[i]` belongs to `signals[i]`; null is missing. */
export interface JournalReading {
  asset: string;
  signals: readonly string[];
  t: number;
  values: readonly (number | null)[];
}

/** Where a reading stands after `append`. */
export interface JournalPosition {
  /** Partition number, 0-based. */
  partition: number;
  seq: number;
}
