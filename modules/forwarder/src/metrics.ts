import { LANES } from '@holdfast/contracts';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Position, Totals } from './adapters/insight-store.ts';
import type { Outbox } from './adapters/outbox.ts';
import { LatencyWindow } from './latency.ts';

/** What the gauges read at each scrape; all of it cheap. */
export interface MetricSources {
  outbox: Outbox;
  /** Batches not applied for lack of room. */
  held(): number;
  totals(): Totals;
  positions(): readonly Position[];
  segmentBytes(): number;
  damage(): Readonly<Record<string, number>>;
  linkUp(): boolean;
  imbalance(): number;
  wallMs(): number;
}

export interface ForwarderMetrics {
  readonly applySeconds: Histogram;
  readonly refused: Counter<'reason'>;
  readonly uploads: Counter<'outcome'>;
  readonly latency: LatencyWindow;
}

export function createForwarderMetrics(registry: Registry): ForwarderMetrics {
  const registers = [registry];
  return {
    applySeconds: new Histogram({
      name: 'holdfast_forwarder_apply_seconds',
      help: 'Time from a message handed in to its commit',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    refused: new Counter({
      name: 'holdfast_forwarder_refused_messages_total',
      help: 'Messages that were wrong and not applied',
      labelNames: ['reason'],
      registers,
    }),
    uploads: new Counter({
      name: 'holdfast_forwarder_uploads_total',
      help: 'Attempts to upload a blob, by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    latency: new LatencyWindow(),
  };
}

/** Registers what is read from the stores at each scrape. */
export function observeStores(registry: Registry, sources: MetricSources): void {
  const registers = [registry];
  const { outbox } = sources;
  new Gauge({
    name: 'holdfast_forwarder_lane_records',
    help: 'Records by lane and state; produced is the sum of the others',
    labelNames: ['lane', 'state'],
    registers,
    collect() {
      for (const [lane, { pendingBytes: _, ...counts }] of Object.entries(outbox.lanes())) {
        for (const [state, count] of Object.entries(counts)) this.set({ lane, state }, count);
      }
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_lane_pending_bytes',
    help: 'Bytes of records that wait for upload',
    labelNames: ['lane'],
    registers,
    collect() {
      for (const [lane, { pendingBytes }] of Object.entries(outbox.lanes())) {
        this.set({ lane }, pendingBytes);
      }
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_lane_oldest_pending_seconds',
    help: 'Age of the oldest record that waits for upload; 0 when none waits',
    labelNames: ['lane'],
    registers,
    collect() {
      for (const lane of LANES) {
        const oldest = outbox.oldestMs(lane) ?? sources.wallMs();
        this.set({ lane }, Math.max(0, sources.wallMs() - oldest) / 1000);
      }
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_lane_imbalance',
    help: 'Records that the accounting of the lanes cannot explain; anything but 0 is a fault',
    registers,
    collect() {
      this.set(sources.imbalance());
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_position',
    help: 'Last sequence number applied or skipped',
    labelNames: ['stream', 'epoch'],
    registers,
    collect() {
      this.reset();
      for (const { stream, epoch, through } of sources.positions()) {
        this.set({ stream, epoch }, through);
      }
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_total',
    help: 'Counts since the database was made',
    labelNames: ['what'],
    registers,
    collect() {
      for (const [what, count] of Object.entries(sources.totals())) this.set({ what }, count);
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_held_batches',
    help: 'Batches not applied because the store had no room, since the start of the process; they come again',
    registers,
    collect() {
      this.set(sources.held());
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_damage_total',
    help: 'What damage to the database has cost since it was made; anything but 0 means a look at the disk',
    labelNames: ['what'],
    registers,
    collect() {
      for (const [what, count] of Object.entries(sources.damage())) this.set({ what }, count);
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_score_bytes',
    help: 'Bytes of packed scores kept at the site',
    registers,
    collect() {
      this.set(sources.segmentBytes());
    },
  });
  new Gauge({
    name: 'holdfast_forwarder_link_up',
    help: '1 when the last exchange with the store worked',
    registers,
    collect() {
      this.set(sources.linkUp() ? 1 : 0);
    },
  });
}
