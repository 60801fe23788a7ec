import { createHash, randomUUID } from 'node:crypto';
import path from 'node:path';
import { type InsightKind, LANES } from '@holdfast/contracts';
import {
  DiskRoom,
  type ModuleHost,
  observeRoom,
  type RoomSettings,
  type RunningModule,
} from '@holdfast/module-host';
import type Database from 'better-sqlite3';
import { AzureBlobTarget, type BlobTarget } from './adapters/blob-target.ts';
import { type Commit, Commits } from './adapters/commits.ts';
import { isDamage, markDamaged, storeDamaged } from './adapters/damage.ts';
import { LOG_BYTES, openForReading } from './adapters/database.ts';
import { InsightReader } from './adapters/insight-reader.ts';
import { InsightStore } from './adapters/insight-store.ts';
import { LossLedger } from './adapters/loss-ledger.ts';
import { damageCounts } from './adapters/losses.ts';
import { Outbox } from './adapters/outbox.ts';
import { quarantined } from './adapters/quarantine.ts';
import { Sealing } from './adapters/sealing.ts';
import { parseStorageAddress } from './adapters/storage-address.ts';
import { openStore } from './adapters/store.ts';
import { StoreRoom } from './adapters/store-room.ts';
import { addRoutes } from './api.ts';
import { Application, type ApplyRules } from './apply.ts';
import type { Environment, Settings } from './config.ts';
import { laneImbalance } from './domain/lanes.ts';
import { createForwarderMetrics, observeStores } from './metrics.ts';
import { ScoresPipeline } from './pipeline.ts';
import { ReceiptSender } from './receipts.ts';
import { Uploader, type UploadRules, type UploadStep } from './upload.ts';

export interface ForwarderOptions {
  /** Called between the steps of an upload; tests end the process there. */
  onStep?: (step: UploadStep) => void;
  random?: () => number;
  /** Takes the place of the store that the environment names; for tests. */
  target?: BlobTarget;
}

/** How often a batch that waits for room is tried. */
const HELD_LOOK_MS = 500;
/** How often a step of giving free pages back is done, if there are any. */
const GIVE_BACK_MS = 250;
/** How often rollups of silent assets are looked for. */
const IDLE_LOOK_MS = 5_000;
/** How often the accounting is checked against the rows. */
const AUDIT_MS = 60_000;
/** A direct method has 30 s by default. */
const FLUSH_MS = 25_000;

/** Builds the forwarder from its stores to its handlers. Works without a hub and without a store for blobs. */
export async function startForwarder(
  host: ModuleHost<Environment, Settings>,
  options: ForwarderOptions = {},
): Promise<RunningModule<Settings>> {
  const { log, clock, env } = host;
  const known = (host.settingsVersion ?? 1) > 0;
  const file = path.join(env.HOLDFAST_DATA_DIR, 'forwarder.db');
  const site = env.HOLDFAST_SITE;
  const disk = new DiskRoom({
    ...{ file, logBytesMax: LOG_BYTES, log },
    settings: roomSettings(host.settings),
  });
  const giveUpReserve = (): boolean => disk.giveUpReserve();
  const db = openStore(file, { log, site, wallMs: clock.wallMs(), giveUpReserve });
  const fatal = (error: Error): never => {
    const damage = [error, error.cause].find(isDamage) as Error | undefined;
    if (damage === undefined) return host.fatal(error);
    markDamaged(file, damage);
    return host.fatal(storeDamaged(damage.message, error));
  };
  const guarded = <Result>(read: () => Result): Result => {
    try {
      return read();
    } catch (error) {
      if (isDamage(error)) fatal(error as Error);
      throw error;
    }
  };
  const readDb = openForReading(file);
  const store = new InsightStore(db);
  const outbox = new Outbox(db);
  const room = new StoreRoom({ db, disk, outbox, store });
  const commits = new Commits({ db, logBytes: () => disk.logBytes, giveUpReserve, fatal });
  const commit: Commit = (work) => commits.run(work);
  const metrics = createForwarderMetrics(host.metrics);
  const meta = new Meta(db, commit);
  const losses = new LossLedger(db);
  const origin = meta.origin();
  const application = new Application({ store, outbox, losses, room, site, origin });
  const receipts = new ReceiptSender({
    send: (message) => host.send(message),
    log,
    losses: (position) => losses.of(position),
  });
  const pipeline = new ScoresPipeline({
    store,
    application,
    receipts,
    metrics,
    room,
    transaction: (work, undo) => commits.run(work, undo),
    parkedMax: host.settings.parkedMax,
    rules: applyRules(host.settings, known),
    rollupIdleMs: host.settings.rollup.idleSecs * 1000,
    clock,
    log,
    fatal,
  });
  const targetFor = (settings: Settings) =>
    options.target === undefined
      ? makeTarget(env, settings)
      : { target: options.target, problem: undefined };
  pipeline.recordLosses();
  const first = targetFor(host.settings);
  if (first.problem !== undefined) {
    // No store at all may be what the user wants; an address that cannot be used is a mistake.
    const level = env.HOLDFAST_STORAGE_CONNECTION_STRING === undefined ? 'warn' : 'error';
    log[level]('No upload', { reason: first.problem });
  }
  let targetProblem = first.problem;
  const uploader = new Uploader({
    site,
    outbox,
    sealing: new Sealing(db, site, commits),
    metrics,
    clock,
    log,
    random: options.random ?? Math.random,
    rules: uploadRules(host.settings, known),
    target: first.target,
    held: meta.get('held') === '1',
    fatal,
    onLoss: () => pipeline.recordLosses(),
    onStep: options.onStep,
  });
  const imbalance = (): number => imbalanceOf(outbox);
  observeRoom(host.metrics, () => room.look());
  const reader = new InsightReader(readDb);
  observeStores(host.metrics, {
    outbox,
    held: () => pipeline.held.count,
    totals: () => guarded(() => store.totals()),
    positions: () => guarded(() => store.positions()),
    segmentBytes: () => store.segmentBytes,
    damage: () => guarded(() => ({ ...damageCounts(db), unreadable: reader.damaged })),
    linkUp: () => uploader.link.state === 'up',
    imbalance,
    wallMs: () => clock.wallMs(),
  });
  addRoutes(host.http, { reader, lanes: () => ({ ...outbox.lanes() }), fatal });
  const audit = (): void => {
    try {
      const records = imbalance();
      if (records === 0) return;
      const code = 'FWD_LANE_IMBALANCE';
      log.error('The accounting of the lanes does not hold', { code, records });
      fatal(storeDamaged(`the accounting of the lanes is off by ${records} records`));
    } catch (error) {
      fatal(error as Error);
    }
  };
  audit();
  const timers = [
    setInterval(() => pipeline.closeIdle(), IDLE_LOOK_MS),
    setInterval(() => pipeline.retryHeld(), HELD_LOOK_MS),
    setInterval(() => room.giveBack(commit), GIVE_BACK_MS),
    setInterval(audit, AUDIT_MS),
  ];
  for (const timer of timers) timer.unref();
  disk.start();
  uploader.start();

  const hold = (held: boolean) => () => {
    meta.set('held', held ? '1' : '0');
    uploader.setHeld(held);
    return { status: 200, payload: { held } };
  };
  return {
    inputs: { scores: (message) => pipeline.onScores(message) },
    methods: { holdUpload: hold(true), resumeUpload: hold(false) },
    apply: (settings) => {
      const next = targetFor(settings);
      disk.apply(roomSettings(settings));
      pipeline.rules = applyRules(settings, true);
      pipeline.rollupIdleMs = settings.rollup.idleSecs * 1000;
      targetProblem = next.problem;
      uploader.apply(uploadRules(settings, true), next.target);
    },
    status: () =>
      guarded(() =>
        statusOf({
          room,
          store,
          outbox,
          application,
          pipeline,
          receipts,
          metrics,
          uploader,
          targetProblem,
          damage: () => damageOf(db, reader),
        }),
      ),
    flush: async () => {
      const assets = pipeline.closeAll();
      const left = await uploader.flush(FLUSH_MS);
      const pending = Object.values(outbox.lanes()).reduce((sum, lane) => sum + lane.pending, 0);
      return { rollupsOfAssets: assets, pending, ...(left === undefined ? {} : { left }) };
    },
    notReady: () => pipeline.held.reason,
    onConnected: () => pipeline.receiptAll(),
    stop: async () => {
      for (const timer of timers) clearInterval(timer);
      disk.stop();
      receipts.stop();
      await uploader.stop();
      readDb.close();
      db.close();
    },
  };
}

/** Small facts about this database. */
class Meta {
  readonly #db: Database.Database;
  readonly #commit: Commit;

  constructor(db: Database.Database, commit: Commit) {
    this.#db = db;
    this.#commit = commit;
  }

  get(key: string): string | undefined {
    return this.#db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key) as
      | string
      | undefined;
  }

  set(key: string, value: string): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
    this.#commit(() => put.run(key, value));
  }

  /** Identity of this database, made with it. */
  origin(): string {
    const known = this.get('origin');
    if (known !== undefined) return known;
    const origin = randomUUID().slice(0, 8);
    this.set('origin', origin);
    return origin;
  }
}

const roomSettings = ({ outbox }: Settings): RoomSettings => ({
  capBytes: outbox.bytesMax,
  freeBytesMin: outbox.freeBytesMin,
});

/** A missing or wrong address stops the upload only. */
function makeTarget(
  env: Environment,
  settings: Settings,
): { target: BlobTarget | undefined; problem: string | undefined } {
  const address = env.HOLDFAST_STORAGE_CONNECTION_STRING;
  if (address === undefined) {
    return { target: undefined, problem: 'HOLDFAST_STORAGE_CONNECTION_STRING is not set' };
  }
  try {
    return {
      target: new AzureBlobTarget(parseStorageAddress(address), settings.upload),
      problem: undefined,
    };
  } catch (error) {
    return { target: undefined, problem: (error as Error).message };
  }
}

/**
 * Kinds kept for upload while no twin has ever come, so that a module which hears scores before its first settings
 * does not deny what they allow. Not scores: they would fill the disk of a site that never gets any settings.
 */
const KEPT_UNTIL_KNOWN: readonly InsightKind[] = ['anomaly', 'rollup', 'gap'];

/** @param known whether the settings came from a twin, now or before */
function applyRules(settings: Settings, known: boolean): ApplyRules {
  const { anomaly } = settings;
  return {
    detector: {
      openAfterAlarms: anomaly.openAfterAlarms,
      openAfterWarnings: anomaly.openAfterWarnings,
      openWithinMs: anomaly.openWithinSecs * 1000,
      closeAfter: anomaly.closeAfter,
      gapMs: anomaly.gapSecs * 1000,
    },
    kept: new Set<InsightKind>(known ? settings.egress.allow : KEPT_UNTIL_KNOWN),
    outboxBytesMax: settings.outbox.bytesMax,
    retention: settings.insights,
  };
}

function uploadRules(settings: Settings, known: boolean): UploadRules {
  const { upload, egress } = settings;
  const policy = JSON.stringify({ allow: [...new Set(egress.allow)].sort() });
  return {
    recordsMax: upload.recordsMax,
    bytesMax: upload.bytesMax,
    intervalMs: upload.intervalSecs * 1000,
    allowed: known ? new Set<InsightKind>(egress.allow) : undefined,
    policyHash: createHash('sha256').update(policy).digest('hex'),
  };
}

/** Both ways in which the accounting can be wrong: the sum, and the rows that are really there. */
function imbalanceOf(outbox: Outbox): number {
  const lanes = outbox.lanes();
  let off = 0;
  for (const lane of LANES) {
    off += Math.abs(laneImbalance(lanes[lane]));
    off += Math.abs(lanes[lane].pending - outbox.countPending(lane));
  }
  return off;
}

/** What damage has cost, and where the damaged files are; nothing when there was none. */
function damageOf(db: Database.Database, reader: InsightReader): Record<string, unknown> {
  const counts = damageCounts(db);
  if (Object.keys(counts).length === 0 && reader.damaged === 0) return {};
  return {
    damage: { ...counts, unreadable: reader.damaged, quarantine: quarantined(db.name).at(-1) },
  };
}

function statusOf(parts: {
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
