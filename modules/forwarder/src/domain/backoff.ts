export interface BackoffRange {
  baseMs: number;
  capMs: number;
}

/**
 * Next pause by decorrelated jitter: between the base and three times the pause before, so that sites which lost the
 * same link do not come back in step.
 * @param previousMs the pause before, 0 at first
 * @param random uniform in [0, 1)
 */
export function nextPause(previousMs: number, random: number, range: BackoffRange): number {
  const upper = Math.max(range.baseMs, previousMs * 3);
  return Math.min(range.capMs, range.baseMs + random * (upper - range.baseMs));
}
