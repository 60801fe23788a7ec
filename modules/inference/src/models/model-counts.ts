import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { CatalogEntry } from '../domain/catalog.ts';

/** Metrics of the models' lives. */
export class ModelCounts {
  readonly #swaps: Counter;
  readonly #refusals: Counter;
  readonly #failures: Counter;
  readonly #loadSeconds: Histogram;
  readonly #fetchBytes: Counter;
  readonly #storeBytes: Gauge;
  readonly #removed: Counter;
  swaps = 0;
  refusals = 0;
  failures = 0;
  fetchBytes = 0;
  storeBytes = 0;
  storeRemoved = 0;

  /** `entries` is asked whenever the metrics are. */
  constructor(registry: Registry, entries: () => readonly CatalogEntry[]) {
    const registers = [registry];
    new Gauge({
      name: 'holdfast_inference_model_info',
      help: 'Always 1; each model that is ready, with its slot and what it counts as',
      labelNames: ['slot', 'role', 'name', 'version', 'digest'],
      registers,
      collect() {
        this.reset();
        for (const { slot, role, state, identity } of entries()) {
          if (state === 'ready' && identity) this.set({ slot, role, ...identity }, 1);
        }
      },
    });
    new Gauge({
      name: 'holdfast_inference_model_state',
      help: 'Models by slot and state; a slot that changes has one that serves and one to come',
      labelNames: ['slot', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { slot, state } of entries()) this.inc({ slot, state });
      },
    });
    this.#swaps = new Counter({
      name: 'holdfast_inference_model_swaps_total',
      help: 'Times that another model took its place in a slot',
      labelNames: ['slot'],
      registers,
    });
    this.#refusals = new Counter({
      name: 'holdfast_inference_model_refusals_total',
      help: 'Models that were refused for good, by code',
      labelNames: ['code'],
      registers,
    });
    this.#failures = new Counter({
      name: 'holdfast_inference_model_failures_total',
      help: 'Tries to get or load a model that failed and are repeated, by code',
      labelNames: ['code'],
      registers,
    });
    this.#loadSeconds = new Histogram({
      name: 'holdfast_inference_model_load_seconds',
      help: 'From the beginning of verifying to a model that is ready',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    });
    this.#fetchBytes = new Counter({
      name: 'holdfast_inference_model_fetch_bytes_total',
      help: 'Bytes of bundles that came from their sources',
      registers,
    });
    this.#storeBytes = new Gauge({
      name: 'holdfast_inference_model_store_bytes',
      help: 'Bytes of the bundles on disk',
      registers,
    });
    this.#removed = new Counter({
      name: 'holdfast_inference_model_store_removed_total',
      help: 'Bundles removed from disk because nothing needs them',
      registers,
    });
  }

  /** For `status`. */
  status(): Record<string, number> {
    const { swaps, refusals, failures, fetchBytes, storeBytes, storeRemoved } = this;
    return { swaps, refusals, failures, fetchBytes, storeBytes, storeRemoved };
  }

  swapped(slot: string): void {
    this.swaps += 1;
    this.#swaps.inc({ slot });
  }
  refused(code: string): void {
    this.refusals += 1;
    this.#refusals.inc({ code });
  }
  failed(code: string): void {
    this.failures += 1;
    this.#failures.inc({ code });
  }
  loaded(seconds: number): void {
    this.#loadSeconds.observe(seconds);
  }
  fetched(bytes: number): void {
    this.fetchBytes += bytes;
    this.#fetchBytes.inc(bytes);
  }
  swept({ bytes, removed }: { bytes: number; removed: number }): void {
    this.storeBytes = bytes;
    this.storeRemoved += removed;
    this.#storeBytes.set(bytes);
    this.#removed.inc(removed);
  }
}
