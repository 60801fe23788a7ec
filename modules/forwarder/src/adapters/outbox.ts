import type { InsightKind, InsightRecord, Lane } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { eventDate, LANE_OF, type LaneCounts } from '../domain/lanes.ts';
import { outboxSum } from './row-sum.ts';

/** A run of records that had to go to make room. */
export interface Eviction {
  lane: Lane;
  first: number;
  last: number;
  count: number;
  bytes: number;
}

/** Records taken out at once, so that one batch never waits long for room. */
const EVICTION_RECORDS_MAX = 5_000;

type Sums = Record<Lane, { produced: number; denied: number; pending: number; bytes: number }>;

/**
 * Records on their way out and the accounting of the lanes. Every method changes rows and counts together and must
 * run inside a transaction of the caller, so that after a crash `produced = delivered + pending + denied + evicted +
 * dead` holds as before. The outbox owns a record from `append` until `Sealing` settles or buries it.
 */
export class Outbox {
  readonly #newest: Database.Statement;
  readonly #insert: Database.Statement;
  readonly #addToLane: Database.Statement;
  readonly #lanes: Database.Statement;
  readonly #oldestWaiting: Database.Statement;
  readonly #delete: Database.Statement;
  readonly #takeFromLane: Database.Statement;
  readonly #counted: Database.Statement;
  readonly #oldestMs: Database.Statement;
  readonly #bytes: Database.Statement;

  constructor(db: Database.Database) {
    this.#newest = db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").pluck();
    this.#insert = db.prepare(
      `INSERT INTO outbox (number, lane, kind, date, bytes, addedMs, record, sum)
        VALUES (@number, @lane, @kind, @date, @bytes, @addedMs, @record, @sum)`,
    );
    this.#addToLane = db.prepare(
      `UPDATE lane SET produced = produced + @produced, denied = denied + @denied,
        pending = pending + @pending, pendingBytes = pendingBytes + @bytes WHERE lane = @lane`,
    );
    this.#lanes = db.prepare('SELECT * FROM lane');
    this.#oldestWaiting = db.prepare(
      'SELECT number, bytes FROM outbox WHERE lane = ? AND blob IS NULL ORDER BY number LIMIT ?',
    );
    this.#delete = db.prepare(
      'DELETE FROM outbox WHERE lane = ? AND blob IS NULL AND number BETWEEN ? AND ?',
    );
    this.#takeFromLane = db.prepare(
      `UPDATE lane SET evicted = evicted + @count, pending = pending - @count,
        pendingBytes = pendingBytes - @bytes WHERE lane = @lane`,
    );
    this.#counted = db
      .prepare(
        `SELECT (SELECT COUNT(*) FROM outbox WHERE lane = @lane AND blob IS NULL) +
          (SELECT COUNT(*) FROM blob JOIN outbox ON outbox.blob = blob.number
            WHERE blob.lane = @lane AND outbox.blob IS NOT NULL)`,
      )
      .pluck();
    this.#oldestMs = db
      .prepare(
        `SELECT MIN(addedMs) FROM (
          SELECT * FROM (SELECT addedMs FROM outbox WHERE lane = @lane AND blob IS NULL
            ORDER BY number LIMIT 1)
          UNION ALL SELECT oldestMs FROM blob WHERE lane = @lane)`,
      )
      .pluck();
    this.#bytes = db.prepare('SELECT SUM(pendingBytes) FROM lane').pluck();
  }

  /** Counts each record in its lane and keeps those of the given kinds; all others are denied. */
  append(records: readonly InsightRecord[], kept: ReadonlySet<InsightKind>, wallMs: number): void {
    if (records.length === 0) return;
    const sums: Partial<Sums> = {};
    let number = Number(this.#newest.get() ?? 0);
    for (const record of records) {
      const lane = LANE_OF[record.kind];
      sums[lane] ??= { produced: 0, denied: 0, pending: 0, bytes: 0 };
      const sum = sums[lane];
      sum.produced++;
      if (!kept.has(record.kind)) {
        sum.denied++;
        continue;
      }
      const text = JSON.stringify(record);
      const bytes = Buffer.byteLength(text);
      const row = { number: ++number, lane, kind: record.kind, date: eventDate(record) };
      const content = { ...row, bytes, addedMs: wallMs, record: text };
      this.#insert.run({ ...content, sum: outboxSum(content) });
      sum.pending++;
      sum.bytes += bytes;
    }
    for (const [lane, sum] of Object.entries(sums)) this.#addToLane.run({ lane, ...sum });
  }

  /** Counts records that the policy keeps at the site, without having made them. */
  deny(kind: InsightKind, count: number): void {
    if (count === 0) return;
    this.#addToLane.run({
      lane: LANE_OF[kind],
      produced: count,
      denied: count,
      pending: 0,
      bytes: 0,
    });
  }

  /** Takes the oldest waiting records of a lane out: so many bytes, but not too many records at once. */
  evict(lane: Lane, bytes: number): Eviction | undefined {
    const eviction: Eviction = { lane, first: 0, last: 0, count: 0, bytes: 0 };
    for (const row of this.#oldestWaiting.iterate(lane, EVICTION_RECORDS_MAX)) {
      if (eviction.bytes >= bytes) break;
      const record = row as { number: number; bytes: number };
      if (eviction.count === 0) eviction.first = record.number;
      eviction.last = record.number;
      eviction.count++;
      eviction.bytes += record.bytes;
    }
    if (eviction.count === 0) return undefined;
    this.#delete.run(lane, eviction.first, eviction.last);
    this.#takeFromLane.run({ lane, count: eviction.count, bytes: eviction.bytes });
    return eviction;
  }

  /** Bytes of records that wait, over all lanes. */
  get bytes(): number {
    return Number(this.#bytes.get());
  }

  lanes(): Record<Lane, LaneCounts & { pendingBytes: number }> {
    const lanes: Partial<Record<Lane, LaneCounts & { pendingBytes: number }>> = {};
    for (const row of this.#lanes.all()) {
      const { lane, ...counts } = row as { lane: Lane } & LaneCounts & { pendingBytes: number };
      lanes[lane] = counts;
    }
    return lanes as Record<Lane, LaneCounts & { pendingBytes: number }>;
  }

  /** Rows really there, counted one by one: what `pending` claims. Takes some 10 ms a million rows. */
  countPending(lane: Lane): number {
    return Number(this.#counted.get({ lane }));
  }

  /** When the oldest record of a lane was added, wall clock; undefined when none waits. */
  oldestMs(lane: Lane): number | undefined {
    return (this.#oldestMs.get({ lane }) as number | null) ?? undefined;
  }
}
