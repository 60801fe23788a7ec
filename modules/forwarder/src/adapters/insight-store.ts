import type { AnomalyRecord, GapRecord, RollupRecord } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import type { DetectorState } from '../domain/anomaly.ts';
import type { RollupState } from '../domain/rollup.ts';
import { packSegment, type SegmentColumns } from '../domain/score-segment.ts';
import { countDamage, type Loss, recordLoss, takeLosses } from './losses.ts';
import { proofOf } from './proof.ts';
import { insightHolds, provenAsset } from './proven-rows.ts';
import { sumOf } from './row-sum.ts';

/** Everything remembered about one asset between batches. */
export interface AssetState {
  detector: DetectorState;
  rollups: RollupState;
}

/** Where a stream stands: `through` = rows applied in this epoch + rows skipped. */
export interface Position {
  stream: string;
  epoch: string;
  through: number;
  skipped: number;
}

export interface Totals {
  applied: number;
  scored: number;
  rejected: number;
  unscored: number;
  /** Rows that an earlier, lost store had applied. */
  skipped: number;
  anomalies: number;
  rollups: number;
  gaps: number;
  blobs: number;
  segmentsOverwritten: number;
  scoresOverwritten: number;
  insightsExpired: number;
  deadOverwritten: number;
}

export interface Retention {
  scoreBytesMax: number;
  rollupsMax: number;
  anomaliesMax: number;
}

/** Gap records kept at the site. */
const GAPS_KEPT_MAX = 10_000;

/** Rows taken out at once when something is full: each batch adds a few, so this keeps the bounds and never stalls. */
const EXPIRE_ROWS_MAX = 2_000;

/** What is kept only to be looked at, besides scores: table, which rows of it, and where it is counted. */
const LOOKED_AT = [
  ['dead', '1', 'deadOverwritten'],
  ['rollup', '1', 'insightsExpired'],
  ['anomaly', 'endT IS NOT NULL', 'insightsExpired'],
] as const;

/**
 * What has been applied, and the insights kept at the site. All methods run inside a transaction of the caller;
 * kept insights are bounded, and what goes to make room is counted.
 */
export class InsightStore {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();
  #segmentBytes: number;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#segmentBytes = this.#countSegmentBytes();
  }

  /** A transaction was undone. */
  undone(): void {
    this.#segmentBytes = this.#countSegmentBytes();
  }

  positions(): Position[] {
    return this.#db
      .prepare('SELECT stream, epoch, through, skipped FROM position')
      .all() as Position[];
  }

  setPosition(stream: string, epoch: string, through: number): void {
    this.#run(
      `INSERT INTO position (stream, epoch, through) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET through = excluded.through`,
      stream,
      epoch,
      through,
    );
  }

  /** Goes past rows that never came to this store; counted. */
  skip(position: { stream: string; epoch: string }, range: { first: number; last: number }): void {
    const count = range.last - range.first + 1;
    this.#run(
      `INSERT INTO position (stream, epoch, through, skipped) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET through = excluded.through, skipped = skipped + excluded.skipped`,
      position.stream,
      position.epoch,
      range.last,
      count,
    );
    this.count({ skipped: count });
  }

  /** States that prove themselves; the names of the others are given to `damaged`. */
  *assets(damaged: (name: string) => void): Generator<[string, AssetState]> {
    for (const row of this.#db.prepare('SELECT name, state, sum FROM asset').iterate()) {
      const { name, state, sum } = row as { name: string; state: string; sum: number | null };
      const proven = provenAsset(name, state, sum);
      if (proven === undefined) damaged(name);
      else yield [name, proven];
    }
  }

  setAsset(name: string, state: AssetState): void {
    const text = JSON.stringify(state);
    this.#run(
      `INSERT INTO asset (name, state, sum) VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET state = excluded.state, sum = excluded.sum`,
      name,
      text,
      sumOf('asset', [name], text),
    );
  }

  /** Takes out a state that is damaged. */
  forgetAsset(name: string): void {
    this.#run('DELETE FROM asset WHERE name = ?', name);
    countDamage(this.#db, 'assets', 1);
  }

  /** Last row in the kept rollups of an asset, as far as they are whole. */
  lastRolledSeq(asset: string, { stream, epoch }: { stream: string; epoch: string }): number {
    const rows = this.#prepared('SELECT minuteT, part, record, sum FROM rollup WHERE asset = ?');
    let last = 0;
    for (const row of rows.all(asset)) {
      const { minuteT, part, record, sum } = row as {
        minuteT: number;
        part: number;
        record: string;
        sum: number | null;
      };
      if (!insightHolds('rollup', [asset, minuteT, part], record, sum)) continue;
      const rollup = JSON.parse(record) as RollupRecord;
      if (rollup.stream === stream && rollup.epoch === epoch) last = Math.max(last, rollup.lastSeq);
    }
    return last;
  }

  /** Readings in open rollups, by `openKey`, as they were when last committed; null when that is not known. */
  get open(): Record<string, number> | null {
    return proofOf(this.#db).open;
  }

  /** Goes into the proof at the end of the transaction. */
  set open(counts: Record<string, number>) {
    proofOf(this.#db).open = counts;
  }

  recordLoss(loss: Loss): void {
    recordLoss(this.#db, loss);
  }

  /** Losses that are to become gap records in this transaction. */
  takeLosses(): Loss[] {
    return takeLosses(this.#db);
  }

  totals(): Totals {
    const { one: _, ...totals } = this.#get('SELECT * FROM totals') as Totals & { one: number };
    return totals;
  }

  count(counts: Partial<Totals>): void {
    const names = Object.keys(counts);
    this.#run(
      `UPDATE totals SET ${names.map((name) => `${name} = ${name} + ?`).join(', ')}`,
      ...Object.values(counts),
    );
  }

  /** The later record of an anomaly replaces the earlier. */
  putAnomaly(record: AnomalyRecord): void {
    const columns = [record.anomaly, record.asset, record.startT, record.endT];
    const text = JSON.stringify(record);
    this.#run(
      `INSERT INTO anomaly (id, asset, startT, endT, record, sum) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET endT = excluded.endT, record = excluded.record,
          sum = excluded.sum`,
      ...columns,
      text,
      sumOf('anomaly', columns, text),
    );
    if (record.phase === 'opened') this.count({ anomalies: 1 });
  }

  /** How many rollups of this asset and minute are kept already, by the number of the last part. */
  nextPart(asset: string, minuteT: number): number {
    const row = this.#get(
      'SELECT MAX(part) AS part FROM rollup WHERE asset = ? AND minuteT = ?',
      asset,
      minuteT,
    ) as { part: number | null };
    return row.part === null ? 0 : row.part + 1;
  }

  putRollup(record: RollupRecord): void {
    const columns = [record.asset, record.minuteT, record.part];
    const text = JSON.stringify(record);
    this.#run(
      'INSERT INTO rollup (asset, minuteT, part, record, sum) VALUES (?, ?, ?, ?, ?)',
      ...columns,
      text,
      sumOf('rollup', columns, text),
    );
    this.count({ rollups: 1 });
  }

  putGap(record: GapRecord): void {
    const text = JSON.stringify(record);
    this.#run(
      'INSERT INTO gap (t, record, sum) VALUES (?, ?, ?)',
      record.t,
      text,
      sumOf('gap', [record.t], text),
    );
    this.count({ gaps: 1 });
  }

  putSegment(asset: string, columns: SegmentColumns): void {
    const body = packSegment(columns);
    let firstT = columns.t[0]!;
    let lastT = firstT;
    for (const t of columns.t) {
      if (t < firstT) firstT = t;
      if (t > lastT) lastT = t;
    }
    const head = [asset, firstT, lastT, columns.t.length];
    this.#run(
      'INSERT INTO segment (asset, firstT, lastT, rows, body, sum) VALUES (?, ?, ?, ?, ?, ?)',
      ...head,
      body,
      sumOf('segment', head, body),
    );
    this.#segmentBytes += body.length;
  }

  get segmentBytes(): number {
    return this.#segmentBytes;
  }

  /** Keeps everything within its bounds, oldest out first, at most `EXPIRE_ROWS_MAX` a call. */
  expire(retention: Retention): void {
    if (this.#segmentBytes > retention.scoreBytesMax)
      this.#overwriteSegments(retention.scoreBytesMax);
    const expired =
      this.#keepLast('rollup', retention.rollupsMax) +
      this.#keepLast('anomaly', retention.anomaliesMax, 'AND endT IS NOT NULL') +
      this.#keepLast('gap', GAPS_KEPT_MAX);
    if (expired > 0) this.count({ insightsExpired: expired });
  }

  /**
   * Takes out what is kept only to be looked at, oldest first: scores, then dead letters, rollups, ended anomalies;
   * about so many bytes, at most `EXPIRE_ROWS_MAX` rows of a kind.
   */
  makeRoom(bytes: number): void {
    const before = this.#segmentBytes;
    if (before > 0) this.#overwriteSegments(Math.max(0, before - bytes));
    let missing = bytes - (before - this.#segmentBytes);
    for (const [table, only, counter] of LOOKED_AT) {
      if (missing <= 0) return;
      const gone = this.#takeOldest(table, only, missing);
      if (gone.rows > 0) this.count({ [counter]: gone.rows });
      missing -= gone.bytes;
    }
  }

  #takeOldest(table: string, only: string, bytesMax: number): { rows: number; bytes: number } {
    const gone = { rows: 0, bytes: 0 };
    let last = 0;
    const oldest = this.#prepared(
      `SELECT number, LENGTH(record) AS bytes FROM ${table} WHERE ${only} ORDER BY number LIMIT ?`,
    );
    for (const row of oldest.iterate(EXPIRE_ROWS_MAX)) {
      if (gone.bytes >= bytesMax) break;
      const { number, bytes } = row as { number: number; bytes: number };
      last = number;
      gone.rows++;
      gone.bytes += bytes;
    }
    this.#run(`DELETE FROM ${table} WHERE number <= ? AND ${only}`, last);
    return gone;
  }

  #countSegmentBytes(): number {
    const sum = this.#db.prepare('SELECT COALESCE(SUM(LENGTH(body)), 0) FROM segment').pluck();
    return Number(sum.get());
  }

  #overwriteSegments(bytesMax: number): void {
    let last = 0;
    let rows = 0;
    let segments = 0;
    const oldest = this.#prepared(
      'SELECT number, rows, LENGTH(body) AS bytes FROM segment ORDER BY number LIMIT ?',
    );
    for (const row of oldest.iterate(EXPIRE_ROWS_MAX)) {
      if (this.#segmentBytes <= bytesMax) break;
      const segment = row as { number: number; rows: number; bytes: number };
      last = segment.number;
      rows += segment.rows;
      segments++;
      this.#segmentBytes -= segment.bytes;
    }
    this.#run('DELETE FROM segment WHERE number <= ?', last);
    this.count({ segmentsOverwritten: segments, scoresOverwritten: rows });
  }

  #keepLast(table: 'rollup' | 'anomaly' | 'gap', count: number, only = ''): number {
    const range = this.#get(
      `SELECT (SELECT number FROM ${table} WHERE 1 ${only} ORDER BY number LIMIT 1) AS first,
        (SELECT number FROM ${table} ORDER BY number DESC LIMIT 1) AS last`,
    ) as { first: number | null; last: number | null };
    if (range.first === null || range.last === null || range.last - range.first < count) return 0;
    const through = Math.min(range.last - count, range.first + EXPIRE_ROWS_MAX);
    return this.#run(`DELETE FROM ${table} WHERE number <= ? ${only}`, through).changes;
  }

  #prepared(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: unknown[]): Database.RunResult {
    return this.#prepared(sql).run(...values);
  }

  #get(sql: string, ...values: unknown[]): unknown {
    return this.#prepared(sql).get(...values);
  }
}
