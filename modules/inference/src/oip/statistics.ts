import type { RunResult } from '../domain/model-runner.ts';

/** Models whose numbers are kept; versions come and go, and the oldest ones are forgotten. */
const MODELS_MAX = 256;

/** Times that something was done, and how long it took in all. */
interface Duration {
  count: number;
  ns: number;
}

type Part = 'compute_input' | 'compute_infer' | 'compute_output';
const PARTS: readonly [Part, 'inputNs' | 'inferNs' | 'outputNs'][] = [
  ['compute_input', 'inputNs'],
  ['compute_infer', 'inferNs'],
  ['compute_output', 'outputNs'],
];

class ModelStatistics {
  lastMs = 0;
  rows = 0;
  runs = 0;
  readonly requests = durations(
    'success',
    'fail',
    'queue',
    'compute_input',
    'compute_infer',
    'compute_output',
  );
  readonly batches = new Map<number, Record<Part, Duration>>();
}

const durations = <Name extends string>(...names: Name[]): Record<Name, Duration> =>
  Object.fromEntries(names.map((name) => [name, { count: 0, ns: 0 }])) as Record<Name, Duration>;

/** What the statistics extension tells of each model, of requests to this API only, since the module started. */
export class Statistics {
  readonly #models = new Map<string, ModelStatistics>();

  /** `totalNs` is the time of the request as a whole; `rows` is its own part of the batch. */
  succeeded(
    model: ModelName,
    run: { result: RunResult; rows: number; totalNs: number; nowMs: number },
  ): void {
    const { result, rows, totalNs, nowMs } = run;
    const { timing, batch } = result;
    const statistics = this.#of(model);
    statistics.lastMs = nowMs;
    statistics.rows += rows;
    add(statistics.requests.success, 1, totalNs);
    add(statistics.requests.queue, 1, timing.queueNs);
    // Requests that were run together share one run: each has its part of it, and the parts add up to one.
    const share = batch > 0 ? rows / batch : 1;
    statistics.runs += share;
    let ofBatch = statistics.batches.get(batch);
    if (ofBatch === undefined) {
      ofBatch = durations('compute_input', 'compute_infer', 'compute_output');
      statistics.batches.set(batch, ofBatch);
    }
    for (const [part, ns] of PARTS) {
      add(statistics.requests[part], 1, timing[ns]);
      add(ofBatch[part], share, timing[ns] * share);
    }
  }

  failed(model: ModelName, totalNs: number): void {
    add(this.#of(model).requests.fail, 1, totalNs);
  }

  /** In the form of the protocol. */
  of(model: ModelName): Record<string, unknown> {
    const { lastMs, rows, runs, requests, batches } =
      this.#models.get(keyOf(model)) ?? new ModelStatistics();
    return {
      ...model,
      last_inference: lastMs,
      inference_count: rows,
      execution_count: Math.round(runs),
      inference_stats: rounded(requests),
      batch_stats: [...batches]
        .sort(([a], [b]) => a - b)
        .map(([size, parts]) => ({ batch_size: size, ...rounded(parts) })),
    };
  }

  #of(model: ModelName): ModelStatistics {
    const key = keyOf(model);
    let statistics = this.#models.get(key);
    if (statistics === undefined) {
      statistics = new ModelStatistics();
      if (this.#models.size >= MODELS_MAX) this.#models.delete(this.#models.keys().next().value!);
      this.#models.set(key, statistics);
    }
    return statistics;
  }
}

export interface ModelName {
  name: string;
  version: string;
}

const keyOf = ({ name, version }: ModelName): string => JSON.stringify([name, version]);

function add(to: Duration, count: number, ns: number): void {
  to.count += count;
  to.ns += ns;
}

const rounded = (durations: Record<string, Duration>): Record<string, Duration> =>
  Object.fromEntries(
    Object.entries(durations).map(([name, { count, ns }]) => [
      name,
      { count: Math.round(count), ns: Math.round(ns) },
    ]),
  );
