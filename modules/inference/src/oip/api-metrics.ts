import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Operation } from './routes.ts';

/** Operations whose duration is of interest, by the label that they have. */
const TIMED: Partial<Record<Operation, string>> = {
  infer: 'infer',
  versionInfer: 'infer',
  score: 'score',
};

/** What the HTTP API has done so far; the same numbers for `status` and for Prometheus. */
export class ApiMetrics {
  /** Answers by HTTP status. */
  readonly answered: Record<string, number> = {};
  readonly #answers: Counter;
  readonly #seconds: Histogram;

  constructor(registry: Registry, heldBytes: () => number) {
    const registers = [registry];
    this.#answers = new Counter({
      name: 'holdfast_inference_http_answers_total',
      help: 'Answers of the HTTP API by status',
      labelNames: ['status'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'holdfast_inference_http_seconds',
      help: 'From the head of a request to its answer, for those that went well',
      labelNames: ['operation'],
      buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30],
      registers,
    });
    new Gauge({
      name: 'holdfast_inference_http_held_bytes',
      help: 'Bytes of request bodies in memory',
      registers,
      collect() {
        this.set(heldBytes());
      },
    });
  }

  took(operation: Operation, seconds: number): void {
    const label = TIMED[operation];
    if (label !== undefined) this.#seconds.observe({ operation: label }, seconds);
  }

  sent(status: number): void {
    this.answered[status] = (this.answered[status] ?? 0) + 1;
    this.#answers.inc({ status });
  }
}
