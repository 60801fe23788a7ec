import { benchForwarder } from '../../modules/forwarder/bench/forwarder.bench.ts';
import { benchInference } from '../../modules/inference/bench/inference.bench.ts';
import { benchJournal } from '../../packages/journal/bench/journal.bench.ts';

/** Every stage alone: figure by name, the unit at the end of the name. */
export async function stageLimits(): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  for (const [stage, bench] of [
    ['journal', benchJournal],
    ['inference', benchInference],
    ['forwarder', benchForwarder],
  ] as const) {
    for (const [name, value] of Object.entries(await bench())) figures[`${stage}, ${name}`] = value;
  }
  return figures;
}
