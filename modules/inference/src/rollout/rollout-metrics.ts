import { Counter, type Registry } from 'prom-client';

/** Counters of the rollout; labels are bounded by the slots of the twin. */
export class RolloutMetrics {
  readonly rows: Counter;
  readonly dropped: Counter;
  readonly fallbacks: Counter;
  readonly decisions: Counter;
  readonly verdicts: Counter;
  readonly labels: Counter;

  constructor(registry: Registry) {
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({
        name: `holdfast_inference_rollout_${name}`,
        help,
        labelNames,
        registers: [registry],
      });
    this.rows = counter('rows_total', 'Rows on which a candidate was compared', ['slot', 'role']);
    this.dropped = counter('dropped_total', 'Batches that a candidate did not score, by reason', [
      'slot',
      'reason',
    ]);
    this.fallbacks = counter(
      'fallbacks_total',
      'Rows of a canary that have the outcome of the active model, by reason',
      ['slot', 'reason'],
    );
    this.decisions = counter('decisions_total', 'Decisions taken on a candidate', ['slot']);
    this.verdicts = counter('verdicts_total', 'Candidates shown to be worse or good', [
      'slot',
      'verdict',
    ]);
    this.labels = counter('labels_total', 'Labels by what became of them', ['outcome']);
  }
}
