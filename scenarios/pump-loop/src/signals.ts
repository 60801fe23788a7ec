/** The eight signals of the loop, in the order of the CSV columns and of the model's tensor. */
export const SIGNALS = [
  'Accelerometer1RMS',
  'Accelerometer2RMS',
  'Current',
  'Pressure',
  'Temperature',
  'Thermocouple',
  'Voltage',
  'Volume Flow RateRMS',
] as const;
export type SignalName = (typeof SIGNALS)[number];

/** Unit of each signal. */
export const UNITS: Readonly<Record<SignalName, string>> = {
  Accelerometer1RMS: 'g',
  Accelerometer2RMS: 'g',
  Current: 'A',
  Pressure: 'bar',
  Temperature: 'degC',
  Thermocouple: 'degC',
  Voltage: 'V',
  'Volume Flow RateRMS': 'L/min',
};

/** Distance of two rows of one asset in ms. */
export const PERIOD_MS = 1_000;

/** One row of one asset; `null` is a value that the sensor did not deliver. */
export interface PumpReading {
  asset: string;
  /** Integer ms since 1970-01-01 UTC. */
  t: number;
  values: Record<SignalName, number | null>;
}

/** `pump-01`, `pump-02`, ... */
export const assetNames = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `pump-${String(index + 1).padStart(2, '0')}`);
