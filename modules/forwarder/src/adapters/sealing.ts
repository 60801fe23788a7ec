import { createHash } from 'node:crypto';
import type { InsightKind, InsightRecord, Lane } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { blobName } from '../domain/blob-name.ts';

/** A blob whose records are fixed, not yet known to be at the store. */
export interface SealedBlob {
  number: number;
  lane: Lane;
  kind: InsightKind;
  name: string;
  /** SHA-256 of the canonical records, hex. */
  recordsHash: string;
  count: number;
  bytes: number;
  /** How often the store refused it for a reason of its own. */
  refusals: number;
}

export interface SealLimits {
  recordsMax: number;
  bytesMax: number;
}

/** Dead letters kept for inspection; beyond, the oldest go. The count in the lane stays. */
const DEAD_KEPT_MAX = 10_000;

interface Row {
  number: number;
  bytes: number;
  addedMs: number;
  record: string;
}

/**
 * Blobs from seal to delivery. States: **waiting** (record in `outbox`, `blob` null) -> **sealed** (row in `blob`,
 * records point to it; name and content never change from here on, whatever happens) -> **delivered** (all rows
 * gone, counted) or **split** into two sealed ones or, when it is one record, **dead** (moved to `dead`, counted).
 * Each step is one transaction, so a crash repeats the upload at most, under the same name.
 */
export class Sealing {
  readonly #db: Database.Database;
  readonly #site: string;
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

  constructor(db: Database.Database, site: string) {
    this.#db = db;
    this.#site = site;
    this.#first = db.prepare(
      'SELECT kind, date FROM outbox WHERE lane = ? AND blob IS NULL AND number <= ? ORDER BY number LIMIT 1',
    );
    this.#waiting = db.prepare(
      `SELECT number, bytes, addedMs, record FROM outbox
        WHERE lane = ? AND kind = ? AND date = ? AND blob IS NULL ORDER BY number LIMIT ?`,
    );
    this.#insertBlob = db.prepare(
      `INSERT INTO blob (lane, kind, name, recordsHash, count, bytes, oldestMs)
        VALUES (@lane, @kind, @name, @recordsHash, @count, @bytes, @oldestMs)`,
    );
    this.#assign = db.prepare('UPDATE outbox SET blob = ? WHERE number = ?');
    this.#sealed = db.prepare('SELECT * FROM blob WHERE lane = ? ORDER BY number LIMIT ?');
    this.#records = db.prepare(
      'SELECT number, bytes, addedMs, record FROM outbox WHERE blob = ? ORDER BY number',
    );
    this.#refused = db.prepare('UPDATE blob SET refusals = refusals + 1 WHERE number = ?');
    this.#deleteBlob = db.prepare('DELETE FROM blob WHERE number = ?');
    this.#deleteRecords = db.prepare('DELETE FROM outbox WHERE blob = ?');
    this.#settle = db.prepare(
      `UPDATE lane SET delivered = delivered + @delivered, denied = denied + @denied, dead = dead + @dead,
        pending = pending - (@delivered + @denied + @dead), pendingBytes = pendingBytes - @bytes
        WHERE lane = @lane`,
    );
    this.#bury = db.prepare(
      'INSERT INTO dead (lane, kind, diedMs, reason, record) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /**
   * Fixes the next blob of a lane: records of one kind and day, oldest first.
   * @param through number of the newest record to consider
   * @returns undefined when none waits
   */
  seal(lane: Lane, limits: SealLimits, through: number): SealedBlob | undefined {
    const first = this.#first.get(lane, through) as { kind: InsightKind; date: string } | undefined;
    if (first === undefined) return undefined;
    const { kind, date } = first;
    const rows: Row[] = [];
    let bytes = 0;
    for (const row of this.#waiting.iterate(lane, kind, date, limits.recordsMax)) {
      const record = row as Row;
      if (rows.length > 0 && bytes + record.bytes > limits.bytesMax) break;
      rows.push(record);
      bytes += record.bytes;
    }
    return this.#db.transaction(() => this.#fix({ lane, kind, date }, rows))();
  }

  /** Sealed blobs of a lane, oldest first. */
  sealed(lane: Lane, limit: number): SealedBlob[] {
    return this.#sealed.all(lane, limit) as SealedBlob[];
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

  records(blob: SealedBlob): InsightRecord[] {
    return (this.#records.all(blob.number) as Row[]).map(
      ({ record }) => JSON.parse(record) as InsightRecord,
    );
  }

  /** The store has it. */
  delivered(blob: SealedBlob): void {
    this.#db.transaction(() => {
      this.#close(blob, 'delivered');
      this.#db.prepare('UPDATE totals SET blobs = blobs + 1').run();
    })();
  }

  /** Counts a refusal that is about this blob; gives the number so far. */
  refused(blob: SealedBlob): number {
    this.#refused.run(blob.number);
    return blob.refusals + 1;
  }

  /** Replaces a blob of several records by two halves, so that the good ones part from the bad one. */
  split(blob: SealedBlob): void {
    this.#db.transaction(() => {
      const rows = this.#records.all(blob.number) as Row[];
      const date = /\/date=(\d{4}-\d{2}-\d{2})\//.exec(blob.name)?.[1] ?? '';
      const half = Math.ceil(rows.length / 2);
      for (const part of [rows.slice(0, half), rows.slice(half)]) {
        this.#fix({ lane: blob.lane, kind: blob.kind, date }, part);
      }
      this.#deleteBlob.run(blob.number);
    })();
  }

  /** Gives a record up for good. It stays readable as a dead letter. */
  bury(blob: SealedBlob, reason: string, wallMs: number): void {
    this.#db.transaction(() => {
      for (const { record } of this.#records.all(blob.number) as Row[]) {
        this.#bury.run(blob.lane, blob.kind, wallMs, reason, record);
      }
      this.#close(blob, 'dead');
      const { changes } = this.#db
        .prepare('DELETE FROM dead WHERE number <= (SELECT MAX(number) FROM dead) - ?')
        .run(DEAD_KEPT_MAX);
      this.#db.prepare('UPDATE totals SET deadOverwritten = deadOverwritten + ?').run(changes);
    })();
  }

  /** Takes back what waits and what is sealed of kinds that may no longer leave. Not while an upload is under way. */
  denyAllBut(allowed: ReadonlySet<InsightKind>): number {
    const kinds = (
      this.#db.prepare('SELECT DISTINCT lane, kind FROM outbox').all() as {
        lane: Lane;
        kind: InsightKind;
      }[]
    ).filter(({ kind }) => !allowed.has(kind));
    if (kinds.length === 0) return 0;
    return this.#db.transaction(() => {
      let denied = 0;
      for (const { lane, kind } of kinds) {
        const { count, bytes } = this.#db
          .prepare(
            'SELECT COUNT(*) AS count, SUM(bytes) AS bytes FROM outbox WHERE kind = ? AND lane = ?',
          )
          .get(kind, lane) as { count: number; bytes: number };
        this.#db.prepare('DELETE FROM outbox WHERE kind = ? AND lane = ?').run(kind, lane);
        this.#db.prepare('DELETE FROM blob WHERE kind = ? AND lane = ?').run(kind, lane);
        this.#settle.run({ lane, delivered: 0, denied: count, dead: 0, bytes });
        denied += count;
      }
      return denied;
    })();
  }

  #close(blob: SealedBlob, outcome: 'delivered' | 'dead'): void {
    const { changes } = this.#deleteRecords.run(blob.number);
    this.#deleteBlob.run(blob.number);
    const { lane, bytes } = blob;
    this.#settle.run({ lane, delivered: 0, denied: 0, dead: 0, [outcome]: changes, bytes });
  }

  #fix(group: { lane: Lane; kind: InsightKind; date: string }, rows: readonly Row[]): SealedBlob {
    const hash = createHash('sha256');
    let bytes = 0;
    for (const row of rows) {
      hash.update(row.record).update('\n');
      bytes += row.bytes;
    }
    const recordsHash = hash.digest('hex');
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
    const number = Number(this.#insertBlob.run({ ...blob, oldestMs }).lastInsertRowid);
    for (const row of rows) this.#assign.run(number, row.number);
    return { number, ...blob, refusals: 0 };
  }
}
