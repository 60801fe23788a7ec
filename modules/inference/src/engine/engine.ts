import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Log } from '@holdfast/module-host';
import { Registry } from 'prom-client';
import { requestProblem } from '../domain/check-request.ts';
import { cpuLimit, slotsFor } from '../domain/cpu-limit.ts';
import type { RunRequest, RunResult } from '../domain/model-runner.ts';
import { ScorerError } from '../errors.ts';
import { Dispatcher } from './dispatcher.ts';
import { EngineCounts } from './engine-counts.ts';
import { EngineModel, type EngineModelOptions } from './engine-model.ts';

/** Twin settings that the engine reads. */
export interface EngineSettings {
  intraOpNumThreads: number;
  workersPerModel: number;
  runsAtOnceMax: number;
  routeWeight: number;
  httpWeight: number;
  requestsWaitingMax: number;
  requestsWaitingMbMax: number;
  joinRowsMax: number;
}

export interface EngineOptions {
  /** The worker's file: `onnx-worker.ts`, or what it was bundled to. */
  workerUrl: URL;
  settings: EngineSettings;
  log: Log;
  metrics?: Registry;
  /** CPUs that this process may use. @default those of the machine or of the container, whichever is less */
  cpus?: number;
}

/** Runs all models of the process: workers, their share of the CPUs, and the order of what waits for them. */
export class Engine {
  readonly counts: EngineCounts;
  readonly #options: EngineOptions;
  readonly #dispatcher: Dispatcher;
  readonly #cpus: number;
  #settings: EngineSettings;
  #nextKey = 1;
  #closed = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#cpus = options.cpus ?? cpusAvailable();
    this.#settings = options.settings;
    const waiting = () => {
      const { scheduler } = this.#dispatcher;
      return {
        route: scheduler.waiting('route'),
        http: scheduler.waiting('http'),
        shadow: scheduler.waiting('shadow'),
      };
    };
    this.counts = new EngineCounts(options.metrics ?? new Registry(), waiting);
    this.#dispatcher = new Dispatcher({
      limits: limitsOf(options.settings),
      counts: this.counts,
      onBroken: ({ name }, reason) =>
        options.log.warn('Requests of this model run one by one', { model: name, reason }),
    });
    this.settings = options.settings;
  }

  get settings(): EngineSettings {
    return this.#settings;
  }
  /** Threads and workers count for models that are opened from now on, all else at once. */
  set settings(settings: EngineSettings) {
    this.#settings = settings;
    this.#dispatcher.scheduler.limits = limitsOf(settings);
    this.#dispatcher.slots =
      settings.runsAtOnceMax > 0
        ? settings.runsAtOnceMax
        : slotsFor(this.#cpus, settings.intraOpNumThreads);
  }

  /**
   * Loads a model into workers of its own.
   * @throws ScorerError SCORER_UNAVAILABLE with what the runtime says, or why it cannot be run here
   */
  async open(options: EngineModelOptions): Promise<EngineModel> {
    const key = this.#nextKey;
    this.#nextKey += 1;
    const { workersPerModel: workers, intraOpNumThreads } = this.#settings;
    const { workerUrl } = this.#options;
    const model = await EngineModel.start(
      { ...options, key },
      { workerUrl, intraOpNumThreads, workers },
      {
        submit: (of, request) => this.#submit(of, request),
        forget: (of, error) => this.#dispatcher.forget(of, error),
      },
    );
    this.#dispatcher.add(model);
    if (!this.#closed) return model;
    await model.close();
    throw new ScorerError('SCORER_UNAVAILABLE', 'the module is stopping');
  }

  /** Closes all models; see EngineModel.close. */
  async close(options: { drainMs?: number } = {}): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#dispatcher.models.map((model) => model.close(options)));
  }

  status(): Record<string, unknown> {
    const { scheduler, slots, models } = this.#dispatcher;
    const { runs, refusals, failures, joinedRunsSeparated } = this.counts;
    return {
      cpus: this.#cpus,
      runsAtOnce: slots,
      answered: runs,
      refused: refusals,
      failed: failures,
      joinedRunsSeparated,
      models: models.map((model) => ({
        name: model.name,
        workers: model.workers,
        waiting: scheduler.waitingFor(model.key),
        runMs: Math.round(scheduler.times.runMs(model.key) * 1_000) / 1_000,
        joined: model.proof.broken ?? (model.proof.proven ? 'yes' : 'not proven yet'),
      })),
    };
  }

  async #submit(model: EngineModel, request: RunRequest): Promise<RunResult> {
    const problem = requestProblem(model, request);
    if (problem === undefined) return this.#dispatcher.submit(model, request);
    this.counts.refused(request.work, 'invalid');
    throw new ScorerError('RUN_FAILED', problem);
  }
}

const limitsOf = (settings: EngineSettings) => ({
  weights: { route: settings.routeWeight, http: settings.httpWeight },
  requestsMax: settings.requestsWaitingMax,
  bytesMax: settings.requestsWaitingMbMax * 1_000_000,
  joinRowsMax: settings.joinRowsMax,
});

/** Of the machine, or of the container where that is less. */
export function cpusAvailable(): number {
  const limit = cpuLimit((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return undefined;
    }
  });
  return Math.min(availableParallelism(), limit ?? Number.POSITIVE_INFINITY);
}
