import { LOST_PROPERTY } from '@holdfast/contracts';
import type { ModuleHost, RunningModule } from '@holdfast/module-host';
import type { Environment, Settings } from './config.ts';
import { Counts } from './counts.ts';
import { ModelSlot } from './model-slot.ts';
import { modelTrustOf } from './models/model-trust.ts';
import { InferencePipeline } from './pipeline.ts';

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
  const pipeline = new InferencePipeline({
    settings: host.settings,
    send: (message) => host.send(message),
    clock,
    log,
    counts,
    model: () => slot.model,
    modelLost: (model, reason) => slot.lost(model, reason),
  });
  await slot.load(host.settings.intraOpNumThreads);
  return {
    inputs: {
      readings: (message) => pipeline.accept(message.body, message.properties[LOST_PROPERTY]),
    },
    apply: (settings) => {
      const reload = settings.intraOpNumThreads !== pipeline.settings.intraOpNumThreads;
      pipeline.settings = settings;
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
    }),
    flush: async () => {
      await Promise.race([pipeline.idle(), elapsed(FLUSH_MS_MAX)]);
      return { queued: pipeline.queued };
    },
    notReady: () => (slot.problem === undefined ? undefined : `no model: ${slot.problem}`),
    onConnected: () => void pipeline.demand(),
    stop: async () => {
      await pipeline.stop();
      await slot.close();
    },
  };
}

const elapsed = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
