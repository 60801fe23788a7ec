import { z } from 'zod';
import { modelCredentials } from './models/model-source.ts';
import { modelKeys } from './models/model-trust.ts';
import { modelsSetting } from './models/models-setting.ts';
import { apiEnvironment, apiSettings } from './oip/settings.ts';
import { rolloutSetting } from './rollout/rollout-setting.ts';

/** Variables of the inference module, beside those of every module. */
export const environment = z.object({
  HOLDFAST_MODEL_DIR: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the model bundle; without it every row is unscored'),
  HOLDFAST_MODEL_KEYS: modelKeys
    .optional()
    .describe('Public keys (PEM, one after the other) that models may be signed with'),
  HOLDFAST_MODEL_SIGNATURE: z
    .enum(['required', 'optional'])
    .optional()
    .describe(
      'Whether a model without a signature is accepted; required if there are keys, else optional',
    ),
  HOLDFAST_MODEL_CREDENTIALS: modelCredentials
    .optional()
    .describe('Who to be at the sources of models: JSON by host, see "Where models come from"'),
  HOLDFAST_MODEL_CA: z
    .string()
    .min(1)
    .optional()
    .describe('Certificates (PEM) to trust at the sources of models, beside the usual ones'),
  ...apiEnvironment,
});
export type Environment = z.output<typeof environment>;

/** Twin settings of the inference module; `{}` is complete. */
export const settings = z.object({
  models: modelsSetting,
  rollout: rolloutSetting,
  modelRunMsMax: z
    .number()
    .positive()
    .optional()
    .describe('A new model whose run of one window takes longer is refused, in ms'),
  modelMemoryMbMax: z
    .number()
    .positive()
    .optional()
    .describe('A new model by which the memory grows more is refused, in MB'),
  modelStoreMbMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(1_024)
    .describe('Room on disk for models that nothing needs at the moment, in MB; the newest stay'),
  modelAllowHttp: z
    .array(z.string().min(1).max(260))
    .max(16)
    .default([])
    .describe('Hosts (`host` or `host:port`) that models may come from without TLS'),
  queueBatchesMax: z
    .int()
    .min(1)
    .max(1_024)
    .default(64)
    .describe(
      'Batches waiting in memory; beyond, the oldest is dropped and counted, and comes again',
    ),
  batchesAtOnce: z
    .int()
    .min(1)
    .max(16)
    .default(4)
    .describe('Batches worked on at the same time, between parsing and sending'),
  windowsPerRunMax: z
    .int()
    .min(1)
    .max(65_536)
    .default(4_096)
    .describe('Windows in one run of the model; runs are also kept below 1 MB of input'),
  intraOpNumThreads: z
    .int()
    .min(1)
    .max(64)
    .default(1)
    .describe(
      'Threads of one run; more than 1 slows small models down. A change loads the model anew',
    ),
  workersPerModel: z
    .int()
    .min(1)
    .max(16)
    .default(1)
    .describe(
      'Worker threads of one model, each with its own copy of it. For models loaded from then on',
    ),
  runsAtOnceMax: z
    .int()
    .min(0)
    .max(64)
    .default(0)
    .describe(
      'Runs of all models at the same time; 0: one less than the CPUs of the container, at least one',
    ),
  routeWeight: z
    .int()
    .min(1)
    .max(100)
    .default(4)
    .describe('Share of the run time for readings of the route, against httpWeight'),
  httpWeight: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Share of the run time for the HTTP API while the route wants it too'),
  requestsWaitingMax: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Requests that may wait for one model, for each of route, HTTP and shadow'),
  requestsWaitingMbMax: z
    .int()
    .min(1)
    .max(4_096)
    .default(64)
    .describe('Megabytes of input that may wait, for each of route and HTTP'),
  joinRowsMax: z
    .int()
    .min(1)
    .max(4_096)
    .default(64)
    .describe('Rows of HTTP requests that are joined into one run; 1 joins none'),
  demandEveryMs: z
    .int()
    .min(100)
    .max(600_000)
    .default(2_000)
    .describe('Shortest time between two demands for lookback, in ms'),
  ...apiSettings,
});
export type Settings = z.output<typeof settings>;
