import {
  type GapRecord,
  type InsightKind,
  type InsightRecord,
  type LostRange,
  TIME_MS_MIN,
} from '@holdfast/contracts';
import type { AssetState, InsightStore, Retention } from './adapters/insight-store.ts';
import type { LossLedger } from './adapters/loss-ledger.ts';
import type { Outbox } from './adapters/outbox.ts';
import type { StoreRoom } from './adapters/store-room.ts';
import {
  type AnomalyChange,
  anomalyRecord,
  copyDetector,
  type DetectorRules,
  isScored,
  newDetector,
  observe,
} from './domain/anomaly.ts';
import { segmentsOf } from './domain/model-segments.ts';
import type { NotedScores } from './domain/noted-scores.ts';
import { addOpen } from './domain/open-rows.ts';
import { type OutcomeRow, type RowSource, rowsByAsset } from './domain/outcome-rows.ts';
import {
  closeAll,
  copyRollups,
  newRollups,
  type OpenRollup,
  rollUp,
  rollupRecord,
} from './domain/rollup.ts';
import { skippedParts } from './domain/skipped-parts.ts';
import { openKey } from './domain/steering.ts';

/** The settings that matter while a batch is applied. */
export interface ApplyRules {
  detector: DetectorRules;
  /** Kinds that wait for upload; all others are counted as denied. */
  kept: ReadonlySet<InsightKind>;
  /** Bytes that records waiting for upload may have. */
  outboxBytesMax: number;
  retention: Retention;
}

/**
 * Turns outcomes into insights, inside the transaction of the caller. The state of assets is remembered in memory;
 * what a transaction changes is staged and becomes the remembered state by `keep`, or is forgotten by `discard`,
 * so that memory and database never differ.
 */
export class Application {
  readonly #store: InsightStore;
  readonly #outbox: Outbox;
  readonly #losses: LossLedger;
  readonly #room: Pick<StoreRoom, 'make'>;
  readonly #site: string;
  readonly #origin: string;
  readonly #assets = new Map<string, AssetState>();
  #staged = new Map<string, AssetState>();
  #records: InsightRecord[] = [];
  readonly #damaged: string[] = [];
  /** Readings in open rollups, by stream and epoch: what the loss of a state would cost. */
  #open: Record<string, number> = {};

  /** @param options.origin identity of this database, for the ids of its gap records */
  constructor(options: {
    store: InsightStore;
    outbox: Outbox;
    losses: LossLedger;
    room: Pick<StoreRoom, 'make'>;
    site: string;
    origin: string;
  }) {
    this.#losses = options.losses;
    this.#room = options.room;
    this.#store = options.store;
    this.#outbox = options.outbox;
    this.#site = options.site;
    this.#origin = options.origin;
    for (const [name, state] of this.#store.assets((name) => this.#damaged.push(name))) {
      this.#assets.set(name, state);
      addOpen(this.#open, state.rollups, 1);
    }
  }

  /** Records what the states of assets have lost: readings that were counted in rollups not yet closed. */
  settleStates(): void {
    const known = this.#store.open ?? {};
    for (const { stream, epoch, through } of this.#store.positions()) {
      const key = openKey({ stream, epoch });
      const count = (known[key] ?? 0) - (this.#open[key] ?? 0);
      if (count <= 0) continue;
      const rolled = this.#damaged.map((name) =>
        this.#store.lastRolledSeq(name, { stream, epoch }),
      );
      const first = rolled.length === 0 ? 1 : Math.min(...rolled) + 1;
      const reason = 'counted in rollups that were damaged before they were closed';
      this.#store.recordLoss({ source: stream, first, last: through, count, reason });
    }
    for (const name of this.#damaged) this.#store.forgetAsset(name);
    this.#damaged.length = 0;
  }

  /** Applies the rows of one batch from sequence number `from` on. */
  batch(message: NotedScores, from: number, rules: ApplyRules): void {
    const counts = { applied: 0, scored: 0, rejected: 0, unscored: 0 };
    let segments = 0;
    for (const [asset, rows] of rowsByAsset(message, from)) {
      const source = { asset, stream: message.stream, epoch: message.epoch };
      for (const row of rows) counts[row.outcome]++;
      counts.applied += rows.length;
      const state = this.#touch(asset);
      this.#detect(state, rows, source, rules);
      this.#rollUp(state, rows, source);
      segments += this.#keepScores(rows, source, rules);
    }
    this.#store.count(counts);
    if (!rules.kept.has('scores')) this.#outbox.deny('scores', segments);
    this.#store.setPosition(message.stream, message.epoch, message.last);
  }

  /**
   * Goes past rows that this store never had: ingest has lost them, or they were receipted by a store that is lost.
   * Each part leaves a gap record with its reason.
   */
  skip(
    position: { stream: string; epoch: string },
    skipped: { first: number; last: number },
    from: { wallMs: number; lost: readonly LostRange[] },
  ): void {
    const { stream, epoch } = position;
    for (const { first, last, lost } of skippedParts(skipped, from.lost)) {
      const id = `g-${this.#origin}-${stream}-${epoch}-${first}-${last}`;
      const gap = {
        id,
        site: this.#site,
        kind: 'gap' as const,
        t: timeOf(from.wallMs),
        first,
        last,
      };
      const count = last - first + 1;
      const reason =
        lost === undefined
          ? 'forwarder store was lost after it had receipted these'
          : `ingest has lost these: ${lost}`;
      const record: GapRecord = { ...gap, source: stream, count, reason };
      this.#store.putGap(record);
      this.#records.push(record);
      if (lost !== undefined) this.#losses.record(stream, epoch, { first, last });
    }
    this.#store.skip(position, skipped);
  }

  /** Ends the open rollups of an asset. */
  closeRollups(asset: string): void {
    const closed: OpenRollup[] = [];
    closeAll(this.#touch(asset).rollups, closed);
    this.#putRollups(asset, closed);
  }

  /** Writes what the calls before have left to write, and makes room; the last call in a transaction. */
  finish(rules: ApplyRules, wallMs: number): void {
    const open = { ...this.#open };
    for (const [name, state] of this.#staged) {
      this.#store.setAsset(name, state);
      const before = this.#assets.get(name);
      if (before !== undefined) addOpen(open, before.rollups, -1);
      addOpen(open, state.rollups, 1);
    }
    this.#store.open = open;
    this.#recordLosses(wallMs);
    this.#outbox.append(this.#records, rules.kept, wallMs);
    this.#records = [];
    this.#store.expire(rules.retention);
    for (const { lane, first, last, count } of this.#room.make(rules.outboxBytesMax)) {
      const id = `g-${this.#origin}-${lane}-${first}-${last}`;
      const gap = {
        id,
        site: this.#site,
        kind: 'gap' as const,
        t: timeOf(wallMs),
        first,
        last,
        count,
      };
      const record: GapRecord = { ...gap, source: `lane:${lane}`, reason: 'outbox full' };
      this.#store.putGap(record);
      this.#outbox.append([record], rules.kept, wallMs);
    }
  }

  /** The transaction is committed. */
  keep(): void {
    for (const [name, state] of this.#staged) this.#assets.set(name, state);
    this.#staged = new Map();
    this.#open = this.#store.open ?? {};
  }

  /** The transaction has failed. */
  discard(): void {
    this.#staged = new Map();
    this.#records = [];
    this.#store.open = this.#open;
    this.#store.undone();
  }

  /** Assets with a rollup that is still counting. */
  withOpenRollups(): string[] {
    return [...this.#assets]
      .filter(([, { rollups }]) => rollups.current !== null || rollups.late !== null)
      .map(([name]) => name);
  }

  get openAnomalies(): number {
    let count = 0;
    for (const { detector } of this.#assets.values()) if (detector.open) count++;
    return count;
  }

  get assetCount(): number {
    return this.#assets.size;
  }

  #recordLosses(wallMs: number): void {
    for (const loss of this.#store.takeLosses()) {
      // The count of gaps makes the id unique: the same range may be hit again.
      const { gaps } = this.#store.totals();
      const id = `g-${this.#origin}-${loss.source.replace('lane:', '')}-${loss.first}-${loss.last}-${gaps}`;
      const record: GapRecord = { id, site: this.#site, kind: 'gap', t: wallMs, ...loss };
      this.#store.putGap(record);
      this.#records.push(record);
    }
  }

  #touch(asset: string): AssetState {
    const staged = this.#staged.get(asset);
    if (staged !== undefined) return staged;
    const known = this.#assets.get(asset);
    const state =
      known === undefined
        ? { detector: newDetector(), rollups: newRollups() }
        : { detector: copyDetector(known.detector), rollups: copyRollups(known.rollups) };
    this.#staged.set(asset, state);
    return state;
  }

  #detect(
    state: AssetState,
    rows: readonly OutcomeRow[],
    source: RowSource,
    rules: ApplyRules,
  ): void {
    const changes: AnomalyChange[] = [];
    for (const row of rows) {
      if (isScored(row)) observe(state.detector, row, source, rules.detector, changes);
    }
    for (const change of changes) {
      const record = anomalyRecord(this.#site, source.asset, change);
      this.#store.putAnomaly(record);
      this.#records.push(record);
    }
  }

  #rollUp(state: AssetState, rows: readonly OutcomeRow[], source: RowSource): void {
    const closed: OpenRollup[] = [];
    for (const row of rows) rollUp(state.rollups, row, source, closed);
    this.#putRollups(source.asset, closed);
  }

  #putRollups(asset: string, closed: readonly OpenRollup[]): void {
    for (const rollup of closed) {
      const part = this.#store.nextPart(asset, rollup.minuteT);
      const record = rollupRecord(this.#site, asset, part, rollup);
      this.#store.putRollup(record);
      this.#records.push(record);
    }
  }

  /** Keeps the scores of each model apart. Gives how many segments that makes. */
  #keepScores(rows: readonly OutcomeRow[], source: RowSource, rules: ApplyRules): number {
    const segments = segmentsOf(rows);
    for (const { model, columns } of segments) {
      const { asset, stream, epoch } = source;
      this.#store.putSegment(asset, columns);
      if (!rules.kept.has('scores')) continue;
      const id = `s-${stream}-${epoch}-${columns.seq[0]}`;
      const record = { id, site: this.#site, kind: 'scores' as const, asset, stream, epoch };
      this.#records.push({ ...record, ...columns, model });
    }
    return segments.length;
  }
}

/** Time of a record that is made here: the least that a record may have while the clock is not set. */
const timeOf = (wallMs: number): number => Math.max(wallMs, TIME_MS_MIN);
