import { setFlagsFromString } from 'node:v8';

/** Keeps the heap near what is in use: batches are large and live for a few ms, and V8 by default lets much garbage stand. */
export function keepHeapSmall(): void {
  // The young generation stays at its first size instead of doubling up to 32 MB a half.
  setFlagsFromString('--semi-space-growth-factor=1');
  // The old generation is collected when it is 30 % larger than what the last collection left.
  setFlagsFromString('--heap-growing-percent=30');
}
