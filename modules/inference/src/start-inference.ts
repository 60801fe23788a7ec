import { LOST_PROPERTY } from '@holdfast/contracts';
import type { ModuleHost, RunningModule } from '@holdfast/module-host';
import type { Environment, Settings } from './config.ts';
import { Counts } from './counts.ts';
import { Engine } from './engine/engine.ts';
import { modelMethods } from './models/model-methods.ts';
import { openModelSet } from './models/open-model-set.ts';
import { wantedModels } from './models/wanted-models.ts';
import { startApi } from './oip/start-api.ts';
import { InferencePipeline } from './pipeline.ts';
import { Rollout } from './rollout/rollout.ts';
import { addRolloutRoutes } from './rollout/rollout-api.ts';
import { Route } from './rollout/route.ts';
import { ShadowRuns } from './rollout/shadow-runs.ts';

const FLUSH_MS_MAX = 8_000;

/**
 * Builds the module from its parts; `worker` is the file of the thread that runs models, `requestWorker` that of the
 * thread that parses long requests.
 */
export async function startInference(
  host: ModuleHost<Environment, Settings>,
  worker: URL,
  { version, requestWorker }: { version: string; requestWorker: URL },
): Promise<RunningModule<Settings>> {
  const { env, log, clock, settings, metrics } = host;
  const counts = new Counts(metrics, () => pipeline.queued);
  const engine = new Engine({ workerUrl: worker, settings, log, metrics });
  const wanted = (settings: Settings) => wantedModels(settings.models, env.HOLDFAST_MODEL_DIR);
  const models = openModelSet(host, {
    ...{ engine, counts, settings: () => pipeline.settings },
    onChange: () => {
      if (host.connected()) void pipeline.demand();
      // A decision that could not be done yet may be now. Not within the change itself.
      queueMicrotask(() => rollout.settle());
    },
  });
  const rollout = new Rollout({
    ...{ setting: settings.rollout, models, folder: env.HOLDFAST_DATA_DIR },
    ...{ clock, log, metrics },
  });
  const route = new Route({
    models,
    shadows: new ShadowRuns(({ scorer, shadowScorer }) => shadowScorer ?? scorer),
    setting: () => pipeline.settings.rollout,
    lost: ({ model }, reason) => models.lost(model, reason),
    observe: (comparison) => rollout.observe(comparison),
  });
  const pipeline = new InferencePipeline({
    settings,
    send: (message) => host.send(message),
    clock,
    log,
    counts,
    route,
  });
  const api = await startApi(host, { catalog: models, version, workerUrl: requestWorker });
  await addRolloutRoutes(host.http, { rollout, token: env.HOLDFAST_HTTP_TOKEN, clock });
  await models.start(wanted(settings), host.settingsVersion !== 0);
  return {
    inputs: {
      readings: (message) => pipeline.accept(message.body, message.properties[LOST_PROPERTY]),
    },
    apply: (settings) => {
      const before = pipeline.settings;
      const reload =
        settings.intraOpNumThreads !== before.intraOpNumThreads ||
        settings.workersPerModel !== before.workersPerModel;
      pipeline.settings = settings;
      engine.settings = settings;
      rollout.setting = settings.rollout;
      api.apply(settings);
      models.want(wanted(settings));
      if (reload) models.renew();
    },
    status: () => ({
      model: models.actives()[0]?.model.identity ?? null,
      ...(models.problem() === undefined ? {} : { modelProblem: models.problem() }),
      models: models.status(),
      modelCounts: models.counts.status(),
      batches: counts.batches,
      rows: counts.rows,
      scored: counts.scored,
      rejected: counts.rejected,
      unscored: counts.unscored,
      dropped: counts.dropped,
      queued: pipeline.queued,
      workerRestarts: counts.workerRestarts,
      rollout: rollout.status(),
      http: api.status(),
      engine: engine.status(),
    }),
    flush: async () => {
      await Promise.race([pipeline.idle(), elapsed(FLUSH_MS_MAX)]);
      return { queued: pipeline.queued };
    },
    methods: modelMethods(models),
    reported: () => ({ models: models.reported(), rollout: rollout.lastDecisions() }),
    notReady: () => {
      const problem = models.problem();
      return problem === undefined ? undefined : `no model: ${problem}`;
    },
    onConnected: () => void pipeline.demand(),
    stop: async () => {
      await api.close();
      await pipeline.stop();
      rollout.close();
      await models.close();
      await engine.close();
    },
  };
}

const elapsed = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
