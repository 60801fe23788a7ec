import { assetNames, PERIOD_MS, SIGNALS, simulate } from '@holdfast/pump-loop';

/** One reading as every peer gets it. */
export interface Reading {
  asset: string;
  /** Integer ms since 1970-01-01 UTC. */
  t: number;
  values: Record<string, number | null>;
}

export const ASSETS = 8;
/** Rows of each asset that are simulated; they are sent over and over, at times that go on. */
const SIMULATED = 600;
/** A whole minute some weeks ago, the same for all peers of a run. */
export const START_MS = Math.floor(Date.now() / 60_000) * 60_000 - 30 * 86_400_000;

const names = assetNames(ASSETS);
const numberOf = new Map(names.map((name, index) => [name, index]));
/** Healthy pump loops: a load in which every row is an alarm would be another load. */
const measured = [
  ...simulate({ seed: 1, assets: names, startMs: START_MS, seconds: SIMULATED }),
].sort((a, b) => a.t - b.t || (numberOf.get(a.asset) ?? 0) - (numberOf.get(b.asset) ?? 0));

/** Reading number `n` of the load, from 0: asset and time follow from the number, and the number from them. */
export function reading(n: number): Reading {
  const values = measured[n % measured.length]?.values ?? {};
  const t = START_MS + Math.floor(n / ASSETS) * PERIOD_MS;
  return { asset: names[n % ASSETS] ?? '', t, values: { ...values } };
}

/** The number of a stored reading; NaN for one that was never sent in this form. */
export const numberOfReading = (asset: string, t: number): number =>
  ((t - START_MS) / PERIOD_MS) * ASSETS + (numberOf.get(asset) ?? Number.NaN);

/** Written once: the generator shares its two cores with what it measures. */
const written = measured.map(({ values }) => JSON.stringify(values));

/** The one form in which all peers get readings: a JSON object, or an array of them for more than one. */
export function bodyOf(first: number, count: number): string {
  const rows: string[] = [];
  for (let n = first; n < first + count; n += 1) {
    const t = START_MS + Math.floor(n / ASSETS) * PERIOD_MS;
    const values = written[n % written.length];
    rows.push(`{"asset":"${names[n % ASSETS]}","t":${t},"values":${values}}`);
  }
  return count === 1 ? (rows[0] ?? '') : `[${rows.join(',')}]`;
}

export { SIGNALS };
