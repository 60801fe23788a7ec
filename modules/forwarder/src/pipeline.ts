import {
  LOST_PROPERTY,
  type LostRange,
  type Outcome,
  readLostRanges,
  type ScoresMessage,
} from '@holdfast/contracts';
import type { Clock, Log } from '@holdfast/module-host';
import { type SequenceRange, StreamReceiver } from '@holdfast/stream';
import type { InboundMessage } from '@holdfast/transport';
import { isDiskFull } from './adapters/disk-errors.ts';
import type { InsightStore } from './adapters/insight-store.ts';
import type { StoreRoom } from './adapters/store-room.ts';
import type { Application, ApplyRules } from './apply.ts';
import type { NotedScores } from './domain/noted-scores.ts';
import { wantedOutcomes } from './domain/outcome-rows.ts';
import { skippedParts } from './domain/skipped-parts.ts';
import { ForwarderError } from './errors.ts';
import { type HeldBatch, HeldBatches } from './held-batches.ts';
import { MessageReader } from './message-reader.ts';
import type { ForwarderMetrics } from './metrics.ts';
import type { ReceiptSender } from './receipts.ts';

export interface PipelineOptions {
  store: InsightStore;
  application: Application;
  receipts: ReceiptSender;
  metrics: ForwarderMetrics;
  /** Runs work in one transaction that is on disk when this returns; `undo` forgets what a failed try has left. */
  transaction(work: () => void, undo: () => void): void;
  room: Pick<StoreRoom, 'short'>;
  parkedMax: number;
  rules: ApplyRules;
  rollupIdleMs: number;
  clock: Clock;
  log: Log;
  fatal(error: Error): never;
}

/**
 * The main path: a message with scores is checked, put in its place in the stream, applied and committed; only then
 * does the handler return, so only then does the hub let go of it, and only then is there a receipt.
 */
export class ScoresPipeline {
  readonly #options: PipelineOptions;
  readonly #reader: MessageReader;
  #receiver: StreamReceiver<NotedScores>;
  /** Monotonic time of the last row of each asset with an open rollup. */
  readonly #lastSeen = new Map<string, number>();
  rules: ApplyRules;
  rollupIdleMs: number;
  /** Batches that the store has no room for. */
  readonly held: HeldBatches;
  duplicates = 0;
  parkedDropped = 0;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.rules = options.rules;
    this.rollupIdleMs = options.rollupIdleMs;
    this.#reader = new MessageReader(options);
    this.held = new HeldBatches({
      short: () => options.room.short,
      makeRoom: () => void this.#commit(() => {}),
      monotonicMs: () => options.clock.monotonicMs(),
      log: options.log,
    });
    this.#receiver = this.#newReceiver();
    const now = options.clock.monotonicMs();
    for (const asset of options.application.withOpenRollups()) this.#lastSeen.set(asset, now);
  }

  /** Handler of input `scores`. Never throws for what is in a message. */
  onScores(message: InboundMessage): void {
    const scores = this.#reader.read(message);
    if (scores === undefined) return;
    const batch = { scores, lost: readLostRanges(message.properties[LOST_PROPERTY]) ?? [] };
    if (this.#isNew(scores) && !this.held.hasRoom()) this.held.hold(batch);
    else this.#take(batch);
  }

  /** Takes the batches that had to wait for room. */
  retryHeld(): void {
    for (const batch of this.held.take()) {
      if (this.held.hasRoom()) this.#take(batch);
      else this.held.hold(batch);
    }
  }

  #isNew({ stream, epoch, last }: ScoresMessage): boolean {
    return this.#receiver.position(stream, epoch) < last;
  }

  #take({ scores, lost }: HeldBatch): void {
    const started = performance.now();
    const { skipped, apply, outcome, dropped } = this.#receiver.offer(scores);
    if (outcome === 'duplicate') this.duplicates++;
    this.parkedDropped += dropped;
    if (skipped !== undefined || apply.length > 0) {
      const { application, clock } = this.#options;
      const committed = this.#commit(() => {
        const from = { wallMs: clock.wallMs(), lost };
        if (skipped !== undefined) application.skip(scores, skipped, from);
        for (const { batch, from } of apply) application.batch(batch, from, this.rules);
      });
      if (!committed) {
        this.held.hold({ scores, lost });
        return;
      }
      this.#receiver.committed();
      if (skipped !== undefined) this.#reportSkipped(scores, skipped, lost);
      this.#note(apply.map(({ batch }) => batch));
      this.#options.metrics.applySeconds.observe((performance.now() - started) / 1000);
    }
    const known = this.#receiver.position(scores.stream, scores.epoch) >= scores.last;
    const applied = apply.map(({ batch }) => batch);
    this.#receipt(outcome === 'duplicate' && known ? [scores] : applied);
  }

  /** Messages that were wrong, by reason. */
  get refused(): Readonly<Record<string, number>> {
    return this.#reader.refused;
  }

  /** Batches that wait for the rows before them. */
  get parked(): number {
    return this.#receiver.parked;
  }

  /** Tells the senders again where every stream stands; for a new connection. */
  receiptAll(): void {
    for (const position of this.#options.store.positions()) this.#options.receipts.add(position);
    this.#options.receipts.connected();
  }

  /** Makes gap records of losses that have none yet. */
  recordLosses(): void {
    this.#commit(() => this.#options.application.settleStates());
  }

  /** Ends the rollups of assets that have sent nothing for a while. Gives how many assets. */
  closeIdle(): number {
    const before = this.#options.clock.monotonicMs() - this.rollupIdleMs;
    return this.#closeRollups([...this.#lastSeen].filter(([, at]) => at <= before).map(([a]) => a));
  }

  /** Ends all open rollups. */
  closeAll(): number {
    return this.#closeRollups(this.#options.application.withOpenRollups());
  }

  #closeRollups(assets: readonly string[]): number {
    if (assets.length === 0 || !this.held.hasRoom()) return 0;
    const committed = this.#commit(() => {
      for (const asset of assets) this.#options.application.closeRollups(asset);
    });
    if (!committed) return 0;
    for (const asset of assets) this.#lastSeen.delete(asset);
    return assets.length;
  }

  /** False when the disk is full: nothing has happened then, and what was offered meanwhile comes again. */
  #commit(work: () => void): boolean {
    const { application, clock } = this.#options;
    try {
      const whole = (): void => {
        work();
        application.finish(this.rules, clock.wallMs());
      };
      this.#options.transaction(whole, () => application.discard());
    } catch (error) {
      application.discard();
      if (isDiskFull(error)) {
        this.#receiver = this.#newReceiver();
        this.held.wasFull();
        return false;
      }
      this.#options.fatal(
        new ForwarderError(
          'FWD_COMMIT_FAILED',
          `a commit failed: ${(error as Error).message}`,
          'look at the disk: space left, errors, rights of the data folder',
          error,
        ),
      );
    }
    application.keep();
    return true;
  }

  /** Stands where the store stands. */
  #newReceiver(): StreamReceiver<NotedScores> {
    const { parkedMax, store } = this.#options;
    return new StreamReceiver<NotedScores>({ parkedMax }, store.positions());
  }

  #reportSkipped(
    { stream, epoch }: ScoresMessage,
    skipped: SequenceRange,
    lost: readonly LostRange[],
  ): void {
    for (const { first, last, lost: reason } of skippedParts(skipped, lost)) {
      const range = { stream, epoch, first, last };
      if (reason === undefined) {
        const event = 'Readings were receipted by a store that is lost; a gap is recorded';
        this.#options.log.error(event, { ...range, code: 'FWD_STORE_LOST' });
      } else {
        this.#options.log.warn('Readings were lost by ingest; a gap is recorded', {
          ...range,
          reason,
        });
      }
    }
  }

  #note(batches: readonly ScoresMessage[]): void {
    const { clock, metrics } = this.#options;
    const now = clock.monotonicMs();
    const wall = clock.wallMs();
    for (const batch of batches) {
      metrics.latency.add(wall - batch.acceptedMs);
      for (const list of [batch.assets, batch.rejected, batch.unscored]) {
        for (const { asset } of list) this.#lastSeen.set(asset, now);
      }
    }
  }

  /** Outcomes go with the receipt; of a message that came twice too, for the first receipt may have been lost. */
  #receipt(messages: readonly ScoresMessage[]): void {
    const results: Outcome[] = messages.flatMap((message) => wantedOutcomes(message));
    const [own] = messages;
    for (const receipt of this.#receiver.takeReceipts()) {
      const same = own?.stream === receipt.stream && own.epoch === receipt.epoch;
      this.#options.receipts.add(receipt, same ? results : []);
    }
  }
}
