import { LANES } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import type { InsightReader } from './adapters/insight-reader.ts';
import type { InsightStore } from './adapters/insight-store.ts';
import { damageCounts } from './adapters/losses.ts';
import type { Outbox } from './adapters/outbox.ts';
import { quarantined } from './adapters/quarantine.ts';
import type { StoreRoom } from './adapters/store-room.ts';
import type { Application } from './apply.ts';
import { laneImbalance } from './domain/lanes.ts';
import type { createForwarderMetrics } from './metrics.ts';
import type { ScoresPipeline } from './pipeline.ts';
import type { ReceiptSender } from './receipts.ts';
import type { Uploader } from './upload.ts';

/** Both ways in which the accounting can be wrong: the sum, and the rows that are really there. */
export function imbalanceOf(outbox: Outbox): number {
  const lanes = outbox.lanes();
  let off = 0;
  for (const lane of LANES) {
    off += Math.abs(laneImbalance(lanes[lane]));
    off += Math.abs(lanes[lane].pending - outbox.countPending(lane));
  }
  return off;
}

/** What damage has cost, and where the damaged files are; nothing when there was none. */
export function damageOf(db: Database.Database, reader: InsightReader): Record<string, unknown> {
  const counts = damageCounts(db);
  if (Object.keys(counts).length === 0 && reader.damaged === 0) return {};
  return {
    damage: { ...counts, unreadable: reader.damaged, quarantine: quarantined(db.name).at(-1) },
  };
}

/** What `GET /status` and method `status` say. */
export function statusOf(parts: {
  room: StoreRoom;
  store: InsightStore;
  outbox: Outbox;
  application: Application;
  pipeline: ScoresPipeline;
  receipts: ReceiptSender;
  metrics: ReturnType<typeof createForwarderMetrics>;
  uploader: Uploader;
  targetProblem: string | undefined;
  damage(): Record<string, unknown>;
}): Record<string, unknown> {
  const { store, outbox, application, pipeline, uploader } = parts;
  const totals = store.totals();
  const lastError = parts.targetProblem ?? uploader.link.lastError;
  return {
    applied: totals.applied,
    scored: totals.scored,
    rejected: totals.rejected,
    unscored: totals.unscored,
    skipped: totals.skipped,
    duplicates: pipeline.duplicates,
    parked: pipeline.parked,
    parkedDropped: pipeline.parkedDropped,
    refused: pipeline.refused,
    disk: parts.room.look(),
    waiting: pipeline.held.reason ?? null,
    heldBatches: pipeline.held.count,
    streams: store.positions(),
    assets: application.assetCount,
    anomalies: { open: application.openAnomalies, total: totals.anomalies },
    rollups: totals.rollups,
    lanes: outbox.lanes(),
    blobs: totals.blobs,
    ...parts.damage(),
    gaps: totals.gaps,
    overwritten: {
      segments: totals.segmentsOverwritten,
      scores: totals.scoresOverwritten,
      insights: totals.insightsExpired,
      dead: totals.deadOverwritten,
      results: parts.receipts.resultsDropped,
    },
    link: uploader.link.state,
    held: uploader.held,
    ...(lastError === undefined ? {} : { lastError }),
    latencyMs: parts.metrics.latency.quantiles(),
  };
}
