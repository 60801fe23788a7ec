import {
  INSIGHT_KINDS,
  type InsightKind,
  type InsightRecord,
  type Lane,
} from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { blobName } from '../domain/blob-name.ts';
import { LANE_OF } from '../domain/lanes.ts';
import type { Commits } from './commits.ts';
import { storeDamaged } from './damage.ts';
import { countDamage, recordLoss } from './losses.ts';
import { type OutboxRow, outboxRowHolds } from './proven-rows.ts';
import { outboxSum, sealedSum, sumOf } from './row-sum.ts';
import { blobHolds, blobSum, hashOf, type SealedBlob } from './sealed-blob.ts';

export type { SealedBlob } from './sealed-blob.ts';

export interface SealLimits {
  recordsMax: number;
  bytesMax: number;
}

/** Dead letters kept for inspection; beyond, the oldest go. The count in the lane stays. */
const DEAD_KEPT_MAX = 10_000;

const ROW = 'number, lane, kind, date, blob, bytes, addedMs, record, sum';

/** Why a record is a dead letter that no store has refused. */
const DAMAGED = 'damaged in the database of the forwarder';
const UNKNOWN =
  'sealed together with a damaged record, and the store does not tell whether it has the blob';

/**
 * Blobs from seal to delivery. No record is sealed or uploaded whose checksum does not hold; it becomes a dead letter
 * and a loss. States: **waiting** (record in `outbox`, `blob` null) -> **sealed** (row in `blob`,
 * records point to it; name and content never change from here on, whatever happens) -> **delivered** (all rows
 * gone, counted) or **split** into two sealed ones or, when it is one record, **dead** (moved to `dead`, counted).
 * Each step is one transaction, so a crash repeats the upload at most, under the same name.
 */
export class Sealing {
  readonly #db: Database.Database;
  readonly #site: string;
  readonly #commits: Pick<Commits, 'run' | 'settle'>;
  readonly #first: Database.Statement;
  readonly #waiting: Database.Statement;
  readonly #insertBlob: Database.Statement;
  readonly #assign: Database.Statement;
  readonly #sealed: Database.Statement;
  readonly #records: Database.Statement;
  readonly #refused: Database.Statement;
  readonly #deleteBlob: Database.Statement;
  readonly #deleteRecords: Database.Statement;
  readonly #settle: Database.Statement;
  readonly #bury: Database.Statement;
  #givenUp = 0;
  /** A blob was sealed since all was brought into the database itself; true at first, for an earlier life may have. */
  #unsettled = true;

  constructor(db: Database.Database, site: string, commits: Pick<Commits, 'run' | 'settle'>) {
    this.#db = db;
    this.#commits = commits;
    this.#site = site;
    this.#first = db.prepare(
      `SELECT ${ROW} FROM outbox WHERE lane = ? AND blob IS NULL AND number <= ? ORDER BY number LIMIT 1`,
    );
    this.#waiting = db.prepare(
      `SELECT ${ROW} FROM outbox
        WHERE lane = ? AND kind = ? AND date = ? AND blob IS NULL ORDER BY number LIMIT ?`,
    );
    this.#insertBlob = db.prepare(
      `INSERT INTO blob (lane, kind, name, recordsHash, count, bytes, oldestMs, sum)
        VALUES (@lane, @kind, @name, @recordsHash, @count, @bytes, @oldestMs, @sum)`,
    );
    this.#assign = db.prepare('UPDATE outbox SET blob = ?, sum = ? WHERE number = ?');
    this.#sealed = db.prepare('SELECT * FROM blob WHERE lane = ? ORDER BY number LIMIT ?');
    this.#records = db.prepare(`SELECT ${ROW} FROM outbox WHERE blob = ? ORDER BY number`);
    this.#refused = db.prepare('UPDATE blob SET refusals = refusals + 1 WHERE number = ?');
    this.#deleteBlob = db.prepare('DELETE FROM blob WHERE number = ?');
    this.#deleteRecords = db.prepare('DELETE FROM outbox WHERE blob = ?');
    this.#settle = db.prepare(
      `UPDATE lane SET delivered = delivered + @delivered, denied = denied + @denied, dead = dead + @dead,
        pending = pending - (@delivered + @denied + @dead), pendingBytes = pendingBytes - @bytes
        WHERE lane = @lane`,
    );
    this.#bury = db.prepare(
      'INSERT INTO dead (lane, kind, diedMs, reason, record, sum) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  /**
   * Fixes the next blob of a lane: records of one kind and day, oldest first.
   * @param through number of the newest record to consider
   * @returns undefined when none waits
   */
  seal(lane: Lane, limits: SealLimits, through: number): SealedBlob | undefined {
    const first = this.#first.get(lane, through) as OutboxRow | undefined;
    if (first === undefined) return undefined;
    const { date } = first;
    const kind = first.kind as InsightKind;
    const rows: OutboxRow[] = [];
    const damaged: OutboxRow[] = outboxRowHolds(first) ? [] : [first];
    let bytes = 0;
    for (const row of this.#waiting.iterate(lane, kind, date, limits.recordsMax)) {
      const record = row as OutboxRow;
      if (record.number === damaged[0]?.number) continue;
      if (!outboxRowHolds(record)) {
        damaged.push(record);
        continue;
      }
      if (rows.length > 0 && bytes + record.bytes > limits.bytesMax) break;
      rows.push(record);
      bytes += record.bytes;
    }
    if (rows.length + damaged.length === 0) {
      throw storeDamaged(`record ${first.number} of the outbox is missing in an index`);
    }
    const blob = this.#run(() => {
      if (damaged.length > 0) this.#giveUp(lane, damaged, DAMAGED);
      return rows.length === 0 ? undefined : this.#fix({ lane, kind, date }, rows);
    });
    return blob ?? this.seal(lane, limits, through);
  }

  /** Records given up since the last call. */
  takeGivenUp(): number {
    const count = this.#givenUp;
    this.#givenUp = 0;
    return count;
  }

  /** Sealed blobs of a lane, oldest first. */
  sealed(lane: Lane, limit: number): SealedBlob[] {
    const blobs = this.#sealed.all(lane, limit) as (SealedBlob & { sum: number | null })[];
    const damaged = blobs.find((blob) => !blobHolds(blob));
    if (damaged !== undefined) throw storeDamaged(`the name of sealed blob ${damaged.number}`);
    return blobs;
  }

  /** Number of the newest record, waiting or long gone. */
  newest(): number {
    return Number(
      this.#db
        .prepare("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'")
        .pluck()
        .get(),
    );
  }

  /** Whether a record up to this number is not yet settled. */
  waits(lane: Lane, through: number): boolean {
    return this.#first.get(lane, through) !== undefined || this.sealed(lane, 1).length > 0;
  }

  /**
   * Its records as they were sealed, about to leave; undefined when one of them is damaged or missing: see `recover`.
   * @throws ForwarderError FWD_DISK_FULL
   */
  records(blob: SealedBlob): InsightRecord[] | undefined {
    if (this.#unsettled) this.#commits.settle();
    this.#unsettled = false;
    const rows = this.#records.all(blob.number) as OutboxRow[];
    if (!rows.every(outboxRowHolds) || hashOf(rows) !== blob.recordsHash) return undefined;
    return rows.map(({ record }) => JSON.parse(record) as InsightRecord);
  }

  /**
   * Settles a blob of which a record is damaged. Its name may be at the store already, with all records in it, so
   * nothing of it goes under another name unless the store says that it has none.
   * @param there whether the store has the blob as it was sealed; undefined when that cannot be known
   */
  recover(blob: SealedBlob, there: boolean | undefined): void {
    if (there === true) {
      this.delivered(blob);
      return;
    }
    const rows = this.#records.all(blob.number) as OutboxRow[];
    const damaged = rows.filter((row) => !outboxRowHolds(row));
    const whole = rows.filter((row) => !damaged.includes(row));
    this.#run(() => {
      if (damaged.length > 0) this.#giveUp(blob.lane, damaged, DAMAGED);
      if (there === undefined) this.#giveUp(blob.lane, whole, UNKNOWN);
      else for (const row of whole) this.#assign.run(null, outboxSum(row), row.number);
      this.#deleteBlob.run(blob.number);
    });
  }

  /** The store has it. */
  delivered(blob: SealedBlob): void {
    this.#commits.run(() => {
      this.#close(blob, 'delivered');
      this.#db.prepare('UPDATE totals SET blobs = blobs + 1').run();
    });
  }

  /** Counts a refusal that is about this blob; gives the number so far. */
  refused(blob: SealedBlob): number {
    this.#commits.run(() => this.#refused.run(blob.number));
    return blob.refusals + 1;
  }

  /** Replaces a blob of several records by two halves, so that the good ones part from the bad one. */
  split(blob: SealedBlob): void {
    this.#commits.run(() => {
      const rows = this.#records.all(blob.number) as OutboxRow[];
      // Damaged since it was refused: the next try finds it.
      if (!rows.every(outboxRowHolds)) return;
      const date = /\/date=(\d{4}-\d{2}-\d{2})\//.exec(blob.name)?.[1] ?? '';
      const half = Math.ceil(rows.length / 2);
      for (const part of [rows.slice(0, half), rows.slice(half)]) {
        this.#fix({ lane: blob.lane, kind: blob.kind, date }, part);
      }
      this.#deleteBlob.run(blob.number);
    });
  }

  /** Gives a record up for good. It stays readable as a dead letter. */
  bury(blob: SealedBlob, reason: string, wallMs: number): void {
    this.#commits.run(() => {
      for (const { record } of this.#records.all(blob.number) as OutboxRow[]) {
        this.#keepDead({ lane: blob.lane, kind: blob.kind, diedMs: wallMs, reason, record });
      }
      this.#close(blob, 'dead');
    });
  }

  /** Takes back what waits and what is sealed of kinds that may no longer leave. Not while an upload is under way. */
  denyAllBut(allowed: ReadonlySet<InsightKind>): number {
    const kinds = INSIGHT_KINDS.filter((kind) => !allowed.has(kind) && this.#waits(kind));
    if (kinds.length === 0) return 0;
    return this.#commits.run(() => {
      let denied = 0;
      for (const kind of kinds) {
        const lane = LANE_OF[kind];
        const where = `(lane = @lane AND kind = @kind AND blob IS NULL)
          OR blob IN (SELECT number FROM blob WHERE lane = @lane AND kind = @kind)`;
        const { count, bytes } = this.#db
          .prepare(
            `SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes FROM outbox WHERE ${where}`,
          )
          .get({ lane, kind }) as { count: number; bytes: number };
        this.#db.prepare(`DELETE FROM outbox WHERE ${where}`).run({ lane, kind });
        this.#db.prepare('DELETE FROM blob WHERE kind = ? AND lane = ?').run(kind, lane);
        this.#settle.run({ lane, delivered: 0, denied: count, dead: 0, bytes });
        denied += count;
      }
      return denied;
    });
  }

  /** Whether records of a kind are here. By index: the whole outbox may be large. */
  #waits(kind: InsightKind): boolean {
    const lane = LANE_OF[kind];
    const found = this.#db.prepare(
      `SELECT EXISTS (SELECT 1 FROM outbox WHERE lane = @lane AND kind = @kind AND blob IS NULL)
        OR EXISTS (SELECT 1 FROM blob WHERE lane = @lane AND kind = @kind)`,
    );
    return found.pluck().get({ lane, kind }) === 1;
  }

  /** Records that never leave: dead letters, counted, and to be named in a gap record. */
  #giveUp(lane: Lane, rows: readonly OutboxRow[], reason: string): void {
    if (rows.length === 0) return;
    let bytes = 0;
    for (const row of rows) {
      // As text in a string: what is damaged is not JSON any more, and readers of dead letters expect JSON.
      const record = reason === DAMAGED ? JSON.stringify(String(row.record)) : row.record;
      this.#keepDead({ lane, kind: String(row.kind), diedMs: Date.now(), reason, record });
      this.#db.prepare('DELETE FROM outbox WHERE number = ?').run(row.number);
      bytes += Number.isSafeInteger(row.bytes) ? row.bytes : 0;
    }
    this.#settle.run({ lane, delivered: 0, denied: 0, dead: rows.length, bytes });
    const [first, last] = [rows[0]!.number, rows[rows.length - 1]!.number];
    recordLoss(this.#db, { source: `lane:${lane}`, first, last, count: rows.length, reason });
    countDamage(this.#db, 'records', rows.length);
    this.#givenUp += rows.length;
  }

  #keepDead(letter: {
    lane: string;
    kind: string;
    diedMs: number;
    reason: string;
    record: string;
  }): void {
    const { lane, kind, diedMs, reason, record } = letter;
    const columns = [lane, kind, diedMs, reason];
    const { lastInsertRowid } = this.#bury.run(...columns, record, sumOf('dead', columns, record));
    const { changes } = this.#db
      .prepare('DELETE FROM dead WHERE number <= ?')
      .run(Number(lastInsertRowid) - DEAD_KEPT_MAX);
    if (changes === 0) return;
    this.#db.prepare('UPDATE totals SET deadOverwritten = deadOverwritten + ?').run(changes);
  }

  /** Runs work that may give records up. */
  #run<T>(work: () => T): T {
    const before = this.#givenUp;
    return this.#commits.run(work, () => {
      this.#givenUp = before;
    });
  }

  #close(blob: SealedBlob, outcome: 'delivered' | 'dead'): void {
    const { changes } = this.#deleteRecords.run(blob.number);
    this.#deleteBlob.run(blob.number);
    const { lane, bytes } = blob;
    this.#settle.run({ lane, delivered: 0, denied: 0, dead: 0, [outcome]: changes, bytes });
  }

  #fix(
    group: { lane: Lane; kind: InsightKind; date: string },
    rows: readonly OutboxRow[],
  ): SealedBlob {
    this.#unsettled = true;
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    const recordsHash = hashOf(rows);
    const [first, last] = [rows[0]!.number, rows[rows.length - 1]!.number];
    const name = blobName({ ...group, site: this.#site, first, last, recordsHash });
    const blob = {
      lane: group.lane,
      kind: group.kind,
      name,
      recordsHash,
      count: rows.length,
      bytes,
    };
    const { addedMs: oldestMs } = rows[0]!;
    const sum = blobSum(blob);
    const number = Number(this.#insertBlob.run({ ...blob, oldestMs, sum }).lastInsertRowid);
    for (const row of rows) this.#assign.run(number, sealedSum(outboxSum(row), number), row.number);
    return { number, ...blob, refusals: 0 };
  }
}
