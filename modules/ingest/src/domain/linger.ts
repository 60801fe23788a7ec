/**
 * A small batch waits for one round trip at most, and never longer than this, in ms: the way is then busy with what was
 * sent before, and another small message would only make its queue longer.
 */
const ROUND_TRIP_MS_MAX = 100;

/**
 * A message costs the whole path about 3 ms of processor time whatever it holds, as much as 180 rows. So where rows come
 * fast, one waits for others even when the way is free: up to 40 ms at 2,500 rows a second and stream, which are 100
 * rows, and in proportion less below. At 250 rows a second (1,000 over four streams) that is 4 ms.
 */
const PACE_MS_MAX = 40;
const PACE_ROWS_PER_MS = 2.5;

/** Memory of the arrival rate: long against a message, short against what a person calls a change. */
const RATE_MS = 200;

/** How many rows of one stream come in a millisecond, smoothed. */
export class ArrivalRate {
  #rowsPerMs = 0;
  #atMs: number | undefined;

  get rowsPerMs(): number {
    return this.#rowsPerMs;
  }

  /** `rows` have come since the last call. */
  came(rows: number, nowMs: number): void {
    const passedMs = nowMs - (this.#atMs ?? nowMs);
    this.#atMs = nowMs;
    if (passedMs <= 0) return;
    this.#rowsPerMs += (rows / passedMs - this.#rowsPerMs) * (1 - Math.exp(-passedMs / RATE_MS));
  }
}

/** How long the first row of a batch that would not fill a message waits for others, in ms from when it came. */
export function lingerMs(state: {
  /** Batches of the stream are under way. */
  busy: boolean;
  /** The setting of that name. */
  settingMs: number;
  roundTripMs: number;
  rowsPerMs: number;
}): number {
  const pace = PACE_MS_MAX * Math.min(1, state.rowsPerMs / PACE_ROWS_PER_MS);
  if (!state.busy) return pace;
  return Math.max(pace, state.settingMs, Math.min(state.roundTripMs, ROUND_TRIP_MS_MAX));
}
