import type { Fault } from './faults.ts';
import { simulateLoops } from './loop.ts';
import { assetNames, type PumpReading } from './signals.ts';

export { FAULT_KINDS, type Fault, type FaultKind, planFaults, strengthOf } from './faults.ts';
export {
  assetNames,
  PERIOD_MS,
  type PumpReading,
  SIGNALS,
  type SignalName,
  UNITS,
} from './signals.ts';

/**
 * Rows of several pump loops at 1 Hz, second by second. The same options give the same rows on every machine;
 * lazy, so a day of a thousand assets needs no memory.
 */
export function simulate(options: {
  seed: number;
  /** Names, or how many (`pump-01`, ...). */
  assets: number | readonly string[];
  /** Time of the first row, integer ms since 1970. */
  startMs: number;
  /** Rows an asset. */
  seconds: number;
  faults?: readonly Fault[];
}): Iterable<PumpReading> {
  const assets = typeof options.assets === 'number' ? assetNames(options.assets) : options.assets;
  return simulateLoops({ ...options, assets });
}
