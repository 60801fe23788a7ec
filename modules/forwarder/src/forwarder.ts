import path from 'node:path';
import { DiskRoom, type ModuleHost, observeRoom, type RunningModule } from '@holdfast/module-host';
import type { BlobTarget } from './adapters/blob-target.ts';
import { type Commit, Commits } from './adapters/commits.ts';
import { isDamage, markDamaged, storeDamaged } from './adapters/damage.ts';
import { LOG_BYTES, openForReading } from './adapters/database.ts';
import { InsightReader } from './adapters/insight-reader.ts';
import { InsightStore } from './adapters/insight-store.ts';
import { LossLedger } from './adapters/loss-ledger.ts';
import { damageCounts } from './adapters/losses.ts';
import { makeTarget } from './adapters/make-target.ts';
import { Meta } from './adapters/meta.ts';
import { Outbox } from './adapters/outbox.ts';
import { Sealing } from './adapters/sealing.ts';
import { openStore } from './adapters/store.ts';
import { StoreRoom } from './adapters/store-room.ts';
import { addRoutes } from './api.ts';
import { Application } from './apply.ts';
import type { Environment, Settings } from './config.ts';
import { createForwarderMetrics, observeStores } from './metrics.ts';
import { ScoresPipeline } from './pipeline.ts';
import { ReceiptSender } from './receipts.ts';
import { applyRules, roomSettings, uploadRules } from './rules.ts';
import { damageOf, imbalanceOf, statusOf } from './status.ts';
import { Uploader, type UploadStep } from './upload.ts';

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
