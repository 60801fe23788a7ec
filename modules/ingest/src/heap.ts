import { setFlagsFromString } from 'node:v8';

/**
 * Keeps the heap near what is in use: request bodies are large and short-lived, and V8 by default lets much garbage
 * stand before it collects. Resident after half a million readings in posts of 500: 168 MB without, 148 MB with it,
 * of which 124 MB are there at the start when the sources run unbundled; no difference in speed.
 */
export function keepHeapSmall(): void {
  // The young generation stays at its first size instead of doubling up to 32 MB a half.
  setFlagsFromString('--semi-space-growth-factor=1');
  // The old generation is collected when it is 30 % larger than what the last collection left.
  setFlagsFromString('--heap-growing-percent=30');
}
