import { LOST_PROPERTY } from '@holdfast/contracts';
import type { ModuleHost, RunningModule } from '@holdfast/module-host';
import type { LoadedModel } from './adapters/load-model.ts';
import type { Environment, Settings } from './config.ts';
import { Counts } from './counts.ts';
import type { RouteModels } from './domain/route-models.ts';
import type { Model } from './domain/score-batch.ts';
import { ModelSlot } from './model-slot.ts';
import { modelTrustOf } from './models/model-trust.ts';
import { InferencePipeline } from './pipeline.ts';
import { Rollout } from './rollout/rollout.ts';
import { Route } from './rollout/route.ts';
import { ShadowRuns } from './rollout/shadow-runs.ts';

const FLUSH_MS_MAX = 8_000;

/** Builds the module from its parts; `worker` is the file of the worker thread. */
export async function startInference(
  host: ModuleHost<Environment, Settings>,
  worker: URL,
): Promise<RunningModule<Settings>> {
  const { env, log, clock } = host;
  const counts = new Counts(host.metrics, () => pipeline.queued);
  const slot = new ModelSlot({
    folder: env.HOLDFAST_MODEL_DIR,
    trust: modelTrustOf(env),
    workerUrl: worker,
    log,
    onChange: () => {
      if (host.connected()) void pipeline.demand();
    },
    onRestart: () => counts.workerRestarted(),
  });
  const models = modelsOf(slot);
  const rollout = new Rollout({
    ...{ setting: host.settings.rollout, models, folder: env.HOLDFAST_DATA_DIR },
    ...{ clock, log, metrics: host.metrics },
  });
  const route = new Route({
    models,
    shadows: new ShadowRuns(({ scorer }) => scorer),
    setting: () => pipeline.settings.rollout,
    lost: ({ model }, reason) => slot.lost(model as LoadedModel, reason),
    observe: (comparison) => rollout.observe(comparison),
  });
  const pipeline = new InferencePipeline({
    settings: host.settings,
    send: (message) => host.send(message),
    clock,
    log,
    counts,
    route,
  });
  await slot.load(host.settings.intraOpNumThreads);
  return {
    inputs: {
      readings: (message) => pipeline.accept(message.body, message.properties[LOST_PROPERTY]),
    },
    apply: (settings) => {
      const reload = settings.intraOpNumThreads !== pipeline.settings.intraOpNumThreads;
      pipeline.settings = settings;
      rollout.setting = settings.rollout;
      if (reload) void slot.load(settings.intraOpNumThreads);
    },
    status: () => ({
      model: slot.model?.identity ?? null,
      ...(slot.problem === undefined ? {} : { modelProblem: slot.problem }),
      batches: counts.batches,
      rows: counts.rows,
      scored: counts.scored,
      rejected: counts.rejected,
      unscored: counts.unscored,
      dropped: counts.dropped,
      queued: pipeline.queued,
      workerRestarts: counts.workerRestarts,
      rollout: rollout.status(),
    }),
    flush: async () => {
      await Promise.race([pipeline.idle(), elapsed(FLUSH_MS_MAX)]);
      return { queued: pipeline.queued };
    },
    notReady: () => (slot.problem === undefined ? undefined : `no model: ${slot.problem}`),
    onConnected: () => void pipeline.demand(),
    stop: async () => {
      await pipeline.stop();
      rollout.close();
      await slot.close();
    },
  };
}

/** The one model of the slot as the only active one. */
function modelsOf(slot: ModelSlot): RouteModels<Model> {
  const known = { slot: 'mounted', role: 'active' as const, share: 0, sinceMs: 0 };
  return {
    actives: () => (slot.model === undefined ? [] : [{ ...known, model: slot.model }]),
    canaries: () => [],
    shadows: () => [],
    promote: () => false,
    rollBack: () => false,
  };
}

const elapsed = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
