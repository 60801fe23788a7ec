import { verifyBundle } from '@holdfast/model-bundle';
import type { ModuleHost } from '@holdfast/module-host';
import { type LoadedModel, loadModel } from '../adapters/load-model.ts';
import { runnerOver } from '../adapters/scorer-runner.ts';
import type { Environment, Settings } from '../config.ts';
import type { Counts } from '../counts.ts';
import { ModelSet } from './model-set.ts';
import { fetchingWith } from './model-source.ts';
import { modelTrustOf } from './model-trust.ts';

/** The models of the module with everything real around them; `settings` are those in force whenever it is asked. */
export function openModelSet(
  { env, log, clock, metrics }: ModuleHost<Environment, Settings>,
  by: { worker: URL; counts: Counts; settings(): Settings; onChange(): void },
): ModelSet<LoadedModel> {
  const trust = modelTrustOf(env);
  const onRestart = (reason: string): void => {
    log.warn("The model's worker ended and is started anew", { reason });
    by.counts.workerRestarted();
  };
  return new ModelSet<LoadedModel>({
    dataDir: env.HOLDFAST_DATA_DIR,
    fetch: fetchingWith(env, () => by.settings().modelAllowHttp),
    verify: (folder) => verifyBundle(folder, trust),
    load: async (folder, onStep) => {
      const { intraOpNumThreads } = by.settings();
      const options = { folder, workerUrl: by.worker, intraOpNumThreads, onStep, onRestart };
      const model = await loadModel(options);
      return { ...model, runner: runnerOver(model.scorer, model.manifest) };
    },
    budget: () => {
      const { modelRunMsMax: runMs, modelMemoryMbMax: memoryMb } = by.settings();
      return { runMs, memoryMb };
    },
    spareBytes: () => by.settings().modelStoreMbMax * 1e6,
    ...{ log, clock, metrics, random: Math.random, onChange: by.onChange },
  });
}
