import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Why a batch was dropped: it comes again after ingest's timeout, unless it is `invalid`. */
export type DropReason = 'overflow' | 'invalid' | 'lookback' | 'send-failed' | 'stopped';

/** What this process has done so far; the same numbers for `status` and for Prometheus. */
export class Counts {
  batches = 0;
  rows = 0;
  scored = 0;
  rejected = 0;
  unscored = 0;
  readonly dropped: Partial<Record<DropReason, number>> = {};
  readonly #dropped: Counter;
  readonly #rows: Counter;
  readonly #batches: Counter;
  readonly #workerRestarts: Counter;
  readonly #scoringSeconds: Histogram;
  workerRestarts = 0;

  constructor(registry: Registry, queued: () => number) {
    const registers = [registry];
    this.#batches = new Counter({
      name: 'holdfast_inference_batches_total',
      help: 'Batches of readings whose scores were handed to the hub',
      registers,
    });
    this.#rows = new Counter({
      name: 'holdfast_inference_rows_total',
      help: 'Rows of those batches by outcome',
      labelNames: ['outcome'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'holdfast_inference_batches_dropped_total',
      help: 'Batches dropped before they had scores, by reason; all but invalid ones come again',
      labelNames: ['reason'],
      registers,
    });
    this.#workerRestarts = new Counter({
      name: 'holdfast_inference_worker_restarts_total',
      help: "Times that the model's worker ended by itself",
      registers,
    });
    this.#scoringSeconds = new Histogram({
      name: 'holdfast_inference_batch_seconds',
      help: 'From taking a batch from the queue to its scores being composed',
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
      registers,
    });
    new Gauge({
      name: 'holdfast_inference_batches_queued',
      help: 'Batches waiting in memory',
      registers,
      collect() {
        this.set(queued());
      },
    });
  }

  drop(reason: DropReason): void {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
    this.#dropped.inc({ reason });
  }

  composed(seconds: number): void {
    this.#scoringSeconds.observe(seconds);
  }

  sent(rows: { scored: number; rejected: number; unscored: number }): void {
    const { scored, rejected, unscored } = rows;
    this.batches += 1;
    this.rows += scored + rejected + unscored;
    this.scored += scored;
    this.rejected += rejected;
    this.unscored += unscored;
    this.#batches.inc();
    this.#rows.inc({ outcome: 'scored' }, scored);
    this.#rows.inc({ outcome: 'rejected' }, rejected);
    this.#rows.inc({ outcome: 'unscored' }, unscored);
  }

  workerRestarted(): void {
    this.workerRestarts += 1;
    this.#workerRestarts.inc();
  }
}
