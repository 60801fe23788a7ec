/**
 * A small batch waits for one round trip at most, and never longer than this, in ms: the way is then busy with what was
 * sent before, and another small message would only make its queue longer.
 */
const ROUND_TRIP_MS_MAX = 100;

/**
 * A message costs the whole path about 3 ms of processor time whatever it holds, as much as 180 rows, and some thirty
 * pages on disk. So where rows come fast, one waits for others even when the way is free: 16 ms for each row that comes
 * in a millisecond, up to 100 ms. At 250 rows a second (1,000 over four streams) that is 4 ms.
 */
const PACE_MS_PER_RATE = 16;
const PACE_MS_MAX = 100;

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
  const pace = Math.min(PACE_MS_MAX, PACE_MS_PER_RATE * state.rowsPerMs);
  if (!state.busy) return pace;
  return Math.max(pace, state.settingMs, Math.min(state.roundTripMs, ROUND_TRIP_MS_MAX));
}
