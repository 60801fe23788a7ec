import type { Fault } from '@holdfast/pump-loop';
import type { Anomaly } from './read-back.ts';

/** A fault may show a little after it ended: the model's window still holds its rows. */
const AFTER_MS = 60_000;

export interface Finding {
  fault: Fault;
  /** How it was found, or undefined. */
  by: Anomaly | 'rows reported as unscored' | undefined;
}

/**
 * Holds the stored anomalies against the faults that were injected. A missing sensor is no anomaly of the asset:
 * it is found when its rows came out as unscored.
 */
export function findFaults(
  faults: readonly Fault[],
  anomalies: readonly Anomaly[],
  unscored: number,
): Finding[] {
  return faults.map((fault) => {
    if (fault.kind === 'sensor-missing') {
      return { fault, by: unscored > 0 ? 'rows reported as unscored' : undefined };
    }
    const by = anomalies.find(
      (anomaly) =>
        anomaly.asset === fault.asset &&
        anomaly.startT < fault.endMs + AFTER_MS &&
        (anomaly.endT ?? Number.POSITIVE_INFINITY) >= fault.startMs,
    );
    return { fault, by };
  });
}

/** Anomalies of assets and times at which nothing was injected. */
export function falseAlarms(faults: readonly Fault[], anomalies: readonly Anomaly[]): Anomaly[] {
  return anomalies.filter(
    (anomaly) =>
      !faults.some(
        (fault) =>
          fault.asset === anomaly.asset &&
          anomaly.startT < fault.endMs + AFTER_MS &&
          (anomaly.endT ?? Number.POSITIVE_INFINITY) >= fault.startMs,
      ),
  );
}
