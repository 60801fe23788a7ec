import type { BundleManifest } from '@holdfast/contracts';
import type { Scorer } from '../domain/scorer.ts';

/** What a model may cost here; undefined: as much as it likes. */
export interface Budget {
  /** One run of one window, in ms. */
  runMs?: number | undefined;
  /** Growth of the resident memory by loading and warming up, in MB. */
  memoryMb?: number | undefined;
}

/** Runs whose median counts: a single one says more about what else runs on the machine. */
const RUNS = 21;

/** The tighter of what the twin and the bundle allow. */
export function tighter(a: Budget, b: BundleManifest['budget']): Budget {
  const least = (one: number | undefined, other: number | undefined): number | undefined =>
    one === undefined ? other : other === undefined ? one : Math.min(one, other);
  return { runMs: least(a.runMs, b?.runMs), memoryMb: least(a.memoryMb, b?.memoryMb) };
}

/** Median time of a run of one window, in ms, of a model that is warm. `window` is `[row, signal]`, row-major. */
export async function measureRunMs(
  scorer: Scorer,
  window: Float32Array,
  monotonicMs: () => number,
): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const input = scorer.room(window.length);
    input.set(window);
    const startMs = monotonicMs();
    const { inferNs } = (await scorer.run(input, 1)) as { inferNs?: number };
    times.push(inferNs === undefined ? monotonicMs() - startMs : inferNs / 1e6);
  }
  return times.sort((a, b) => a - b)[RUNS >> 1]!;
}

/** Why the measured cost is too much, or undefined. */
export function overBudget(
  measured: Budget,
  allowed: Budget,
): { code: string; reason: string } | undefined {
  const { runMs, memoryMb } = measured;
  if (runMs !== undefined && allowed.runMs !== undefined && runMs > allowed.runMs) {
    const reason = `one window takes ${runMs.toFixed(2)} ms (median of ${RUNS} runs), allowed are ${allowed.runMs} ms`;
    return { code: 'BUDGET_RUN', reason };
  }
  if (memoryMb !== undefined && allowed.memoryMb !== undefined && memoryMb > allowed.memoryMb) {
    const reason = `the memory grew by ${Math.ceil(memoryMb)} MB while it was loaded, allowed are ${allowed.memoryMb} MB`;
    return { code: 'BUDGET_MEMORY', reason };
  }
  return undefined;
}
