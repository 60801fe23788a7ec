import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { WorkClass } from '../domain/model-runner.ts';

const SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];

/** What the engine has done so far; the same numbers for `status` and for Prometheus. */
export class EngineCounts {
  readonly runs: Partial<Record<WorkClass, number>> = {};
  readonly refusals: Record<string, number> = {};
  readonly failures: Record<string, number> = {};
  joinedRunsSeparated = 0;
  readonly #runs: Counter;
  readonly #waits: Histogram;
  readonly #takes: Histogram;
  readonly #rows: Histogram;
  readonly #refused: Counter;
  readonly #failed: Counter;
  readonly #separated: Counter;

  constructor(registry: Registry, waiting: () => Record<WorkClass, number>) {
    const registers = [registry];
    this.#runs = new Counter({
      name: 'holdfast_inference_requests_total',
      help: 'Requests to models that were answered, by who asked',
      labelNames: ['work'],
      registers,
    });
    this.#waits = new Histogram({
      name: 'holdfast_inference_request_wait_seconds',
      help: 'From a request to a model until its run began',
      labelNames: ['work'],
      buckets: SECONDS,
      registers,
    });
    this.#takes = new Histogram({
      name: 'holdfast_inference_run_seconds',
      help: 'How long the run took that a request was part of',
      labelNames: ['work'],
      buckets: SECONDS,
      registers,
    });
    this.#rows = new Histogram({
      name: 'holdfast_inference_run_rows',
      help: 'Rows in the run that a request was part of',
      labelNames: ['work'],
      buckets: [1, 2, 4, 8, 16, 32, 64, 256, 1_024, 4_096],
      registers,
    });
    this.#refused = new Counter({
      name: 'holdfast_inference_requests_refused_total',
      help: 'Requests to models that never ran: queue-full, shed (shadow made room), deadline, closed, invalid',
      labelNames: ['work', 'reason'],
      registers,
    });
    this.#failed = new Counter({
      name: 'holdfast_inference_requests_failed_total',
      help: 'Requests to models whose run failed, by code',
      labelNames: ['work', 'code'],
      registers,
    });
    this.#separated = new Counter({
      name: 'holdfast_inference_joined_runs_separated_total',
      help: 'Runs of joined requests that failed, after which each was run alone',
      registers,
    });
    new Gauge({
      name: 'holdfast_inference_requests_waiting',
      help: 'Requests that wait for a run, by who asks',
      labelNames: ['work'],
      registers,
      collect() {
        for (const [work, count] of Object.entries(waiting())) this.set({ work }, count);
      },
    });
  }

  ran(work: WorkClass, waitSeconds: number, runSeconds: number, rows: number): void {
    this.runs[work] = (this.runs[work] ?? 0) + 1;
    this.#runs.inc({ work });
    this.#waits.observe({ work }, waitSeconds);
    this.#takes.observe({ work }, runSeconds);
    this.#rows.observe({ work }, rows);
  }

  refused(work: WorkClass, reason: string): void {
    this.refusals[reason] = (this.refusals[reason] ?? 0) + 1;
    this.#refused.inc({ work, reason });
  }

  failed(work: WorkClass, code: string): void {
    this.failures[code] = (this.failures[code] ?? 0) + 1;
    this.#failed.inc({ work, code });
  }

  separated(): void {
    this.joinedRunsSeparated += 1;
    this.#separated.inc();
  }
}
