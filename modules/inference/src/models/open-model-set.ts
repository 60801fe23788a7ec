import { verifyBundle } from '@holdfast/model-bundle';
import type { ModuleHost } from '@holdfast/module-host';
import { type LoadedModel, loadModel } from '../adapters/load-model.ts';
import type { Environment, Settings } from '../config.ts';
import type { Counts } from '../counts.ts';
import type { Engine } from '../engine/engine.ts';
import { ModelSet } from './model-set.ts';
import { fetchingWith } from './model-source.ts';
import { modelTrustOf } from './model-trust.ts';

/** The models of the module with everything real around them; `settings` are those in force whenever it is asked. */
export function openModelSet(
  { env, log, clock, metrics }: ModuleHost<Environment, Settings>,
  by: { engine: Engine; counts: Counts; settings(): Settings; onChange(): void },
): ModelSet<LoadedModel> {
  const trust = modelTrustOf(env);
  const onRestart = (reason: string): void => {
    log.warn("The model's worker ended and is started anew", { reason });
    by.counts.workerRestarted();
  };
  const models: ModelSet<LoadedModel> = new ModelSet({
    dataDir: env.HOLDFAST_DATA_DIR,
    fetch: fetchingWith(env, () => by.settings().modelAllowHttp),
    verify: (folder) => verifyBundle(folder, trust),
    load: (bundle, onStep) =>
      loadModel({
        ...{ engine: by.engine, folder: bundle, onStep, onRestart },
        onLost: (reason) => models.lost(bundle, reason),
      }),
    budget: () => {
      const { modelRunMsMax: runMs, modelMemoryMbMax: memoryMb } = by.settings();
      return { runMs, memoryMb };
    },
    spareBytes: () => by.settings().modelStoreMbMax * 1e6,
    ...{ log, clock, metrics, random: Math.random, onChange: by.onChange },
  });
  return models;
}
