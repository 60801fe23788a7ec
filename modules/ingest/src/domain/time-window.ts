import { TIME_MS_MAX, TIME_MS_MIN } from '@holdfast/contracts';

/** This version did not exist before, so a clock that says so is not set. */
const RELEASED_MS = Date.UTC(2026, 10, 1);

/** Whether a wall clock can be right; on many boxes it begins in 1970, or where it was when they were built. */
export const isClockSet = (wallMs: number): boolean => wallMs >= RELEASED_MS;

/**
 * Times that a reading may have, in ms since 1970, both included. By a clock that is not set no time can be too far ahead:
 * the sources may well know better, and their readings must not be lost for it.
 */
export function timeWindow(
  wallMs: number,
  limits: { pastMsMax: number; futureMsMax: number },
): { earliestMs: number; latestMs: number } {
  const latestMs = isClockSet(wallMs) ? wallMs + limits.futureMsMax : TIME_MS_MAX;
  return {
    earliestMs: Math.max(TIME_MS_MIN, wallMs - limits.pastMsMax),
    latestMs: Math.min(latestMs, TIME_MS_MAX),
  };
}
