import { seededRandom } from './random.ts';
import { assetNames, PERIOD_MS, SIGNALS, type SignalName } from './signals.ts';

export const FAULT_KINDS = [
  'cavitation',
  'valve-closing',
  'bearing-wear',
  'sensor-stuck',
  'sensor-missing',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** A fault put into the loop on purpose; the window `startMs <= t < endMs` is the truth to find it by. */
export interface Fault {
  kind: FaultKind;
  asset: string;
  startMs: number;
  endMs: number;
  /** 0 to 1; below about 0.4 a fault may stay within what is normal. No meaning for the sensor faults. */
  severity: number;
  /** The sensor that sticks or is missing; absent for the other kinds. */
  signal?: SignalName;
}

/** Share of a fault's time over which it grows to full strength, 0 to 1. */
const RAMP: Readonly<Record<FaultKind, number>> = {
  cavitation: 0.05,
  'valve-closing': 0.6,
  'bearing-wear': 0.5,
  'sensor-stuck': 0,
  'sensor-missing': 0,
};

/** Strength of a fault at time `t`: 0 outside its window, else its severity times how far it has grown. */
export function strengthOf(fault: Fault, t: number): number {
  if (t < fault.startMs || t >= fault.endMs) return 0;
  const rampMs = (fault.endMs - fault.startMs) * RAMP[fault.kind];
  const grown = rampMs === 0 ? 1 : Math.min(1, (t - fault.startMs + PERIOD_MS) / rampMs);
  return fault.severity * grown;
}

export interface FaultPlanOptions {
  seed: number;
  /** Names, or how many. */
  assets: number | readonly string[];
  startMs: number;
  seconds: number;
  /** How many faults, kind after kind. @default one of each kind */
  count?: number;
}

/** A fault shows only once the model's window holds it: shorter ones are not planned. */
const FAULT_SECONDS_MIN = 40;
const FAULT_SECONDS_MAX = 300;
/** First part of a run without faults, so that every window is full and the loop is warm. */
const QUIET_SECONDS = 60;

/**
 * Plans faults for a run: each kind in turn, one an asset, the last asset left healthy when there are two or more.
 * With fewer assets than faults an asset gets several, one after the other. A run too short for them gets none.
 */
export function planFaults(options: FaultPlanOptions): Fault[] {
  const names = typeof options.assets === 'number' ? assetNames(options.assets) : options.assets;
  const ill = names.length > 1 ? names.slice(0, -1) : names;
  const count = options.count ?? FAULT_KINDS.length;
  const perAsset = Math.max(1, Math.ceil(count / ill.length));
  const slotSeconds = Math.floor((options.seconds - QUIET_SECONDS) / perAsset);
  if (slotSeconds < FAULT_SECONDS_MIN * 1.5) return [];
  const random = seededRandom(options.seed, 'faults');
  const faults: Fault[] = [];
  for (let index = 0; index < count; index += 1) {
    const kind = FAULT_KINDS[index % FAULT_KINDS.length]!;
    const slot = Math.floor(index / ill.length);
    const longest = Math.min(FAULT_SECONDS_MAX, Math.floor(slotSeconds * 0.6));
    const seconds = Math.floor(random.between(Math.min(FAULT_SECONDS_MIN, longest), longest));
    const room = slotSeconds - Math.max(seconds, FAULT_SECONDS_MIN);
    const offset = QUIET_SECONDS + slot * slotSeconds + Math.floor(random.between(0, room * 0.8));
    const startMs = options.startMs + offset * PERIOD_MS;
    const signal = SIGNALS[Math.floor(random.uniform() * SIGNALS.length)]!;
    faults.push({
      kind,
      asset: ill[index % ill.length]!,
      startMs,
      endMs: startMs + Math.max(seconds, FAULT_SECONDS_MIN) * PERIOD_MS,
      severity: Math.round(random.between(0.7, 1) * 100) / 100,
      ...(kind === 'sensor-stuck' || kind === 'sensor-missing' ? { signal } : {}),
    });
  }
  return faults.sort((one, other) => one.startMs - other.startMs);
}
