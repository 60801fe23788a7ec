import { closeSync, fsyncSync, openSync } from 'node:fs';
import { LANES, type Lane } from '@holdfast/contracts';
import Database from 'better-sqlite3';
import { chooseSteering, openKey, type Steering, steeringFrom } from '../domain/steering.ts';
import type { RawRow, Value } from '../sqlite-file/cells.ts';
import { StoreImage } from '../sqlite-file/image.ts';
import { RowReader } from '../sqlite-file/rows.ts';
import { countDamage, recordLoss } from './losses.ts';
import { newest, proofOf, provenSteering, writeSteering } from './proof.ts';
import { settleBlobs } from './salvaged-blobs.ts';
import { type ProvenRow, provenRow, type SalvagedTable, TABLES_SALVAGED } from './salvaged-rows.ts';
import { prepareSchema } from './schema.ts';

export interface SalvageReport {
  /** Rows that proved themselves, by table. */
  saved: Record<string, number>;
  /** Rows that were found and did not. */
  damagedRows: number;
  /** Records that waited for upload and are gone; each is in a gap record. */
  lostRecords: number;
  /** Which copy of positions and counts is used. */
  books: string;
}

/**
 * Makes a new database of everything in a damaged one that proves itself. Reads raw pages, so it does not matter
 * what is damaged; the books come from their best copy, and what they count and nobody has any more is a loss.
 */
export function salvage(
  damaged: string,
  target: string,
  { site, aside }: { site: string; aside: Steering | undefined },
): SalvageReport {
  const image = new StoreImage(damaged);
  const db = new Database(target);
  try {
    // Nobody sees this file before it is complete and synced as a whole.
    db.pragma('auto_vacuum = INCREMENTAL');
    db.pragma('journal_mode = MEMORY');
    db.pragma('synchronous = OFF');
    db.pragma('cache_size = -16384');
    prepareSchema(db, target);
    const report = db.transaction(() => {
      const buildIndexes = dropIndexes(db);
      const found = readRows(db, image);
      buildIndexes();
      return settle(db, found, { site, aside });
    })();
    db.close();
    const descriptor = openSync(target, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
    return report;
  } finally {
    if (db.open) db.close();
    image.close();
  }
}

/** @returns what makes them again: one sort is a third of the time of many insertions */
function dropIndexes(db: Database.Database): () => void {
  const indexes = db
    .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
    .all() as { name: string; sql: string }[];
  for (const { name } of indexes) db.exec(`DROP INDEX ${name}`);
  return () => {
    for (const { sql } of indexes) db.exec(sql);
  };
}

function readRows(db: Database.Database, image: StoreImage): Found {
  const found = new Found(db);
  const reader = new RowReader(image);
  for (const { name, root } of reader.trees()) {
    const table = TABLES_SALVAGED.find((one) => one === name);
    if (table === undefined) reader.visit(root);
    else for (const row of reader.rows(root)) found.take(row, table);
  }
  for (const row of reader.strays()) found.take(row, undefined);
  return found;
}

/** The books, and what they count that nobody has any more. */
function settle(
  db: Database.Database,
  found: Found,
  { site, aside }: { site: string; aside: Steering | undefined },
): SalvageReport {
  const inside = newest(found.proofs);
  const proof = inside ?? aside;
  const { steering, choice } = chooseSteering(found.tables(), proof, () =>
    steeringFrom(seenPositions(db)),
  );
  if (proof !== undefined && choice !== 'tables') forgetSettled(db, steering);
  if (inside === undefined && choice === 'proof') forgetNewer(db, steering);
  settleBlobs(db, { site, sealed: steering.sealed });
  writeSteering(db, steering);
  const lostRecords = settleLanes(db, steering);
  countDamage(db, 'records', lostRecords);
  countDamage(db, 'insights', found.insightsDamaged);
  proofOf(db).open = steering.open;
  proofOf(db).continueFrom(steering);
  return { saved: found.saved, damagedRows: found.damagedRows, lostRecords, books: choice };
}

/** Sorts rows into the new database. */
class Found {
  readonly saved: Record<string, number> = {};
  damagedRows = 0;
  insightsDamaged = 0;
  readonly proofs: (Steering | undefined)[] = [];
  readonly #books: Record<string, RawRow[]> = { position: [], totals: [], lane: [], meta: [] };
  readonly #sequences: { name: string; seq: number }[] = [];
  readonly #db: Database.Database;
  readonly #inserts = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** @param table where it was found; undefined for a stray page, whose rows must tell by their checksum */
  take(row: RawRow, table: SalvagedTable | undefined): void {
    if (table === undefined || table === 'proofA' || table === 'proofB') {
      const proof = provenSteering(row.values[1], row.values[2]);
      this.proofs.push(proof);
      if (table !== undefined || proof !== undefined) return;
    }
    if (table === 'sqlite_sequence') {
      const [name, seq] = row.values;
      if (typeof name === 'string' && typeof seq === 'number') this.#sequences.push({ name, seq });
      return;
    }
    if (table !== undefined && table in this.#books) {
      this.#books[table]!.push(row);
      return;
    }
    const proven = provenRow(row, table);
    if (proven !== undefined) {
      this.#insert(proven);
      return;
    }
    if (table === undefined) return;
    this.damagedRows++;
    if (table !== 'outbox' && table !== 'asset' && table !== 'blob') this.insightsDamaged++;
  }

  /** The books as the tables have them; without proof. */
  tables(): Steering | undefined {
    const [totals] = this.#books.totals!;
    if (totals === undefined) return undefined;
    const of = (table: string): Record<string, Value>[] => {
      const names = (this.#db.pragma(`table_info(${table})`) as { name: string }[]).map(
        ({ name }) => name,
      );
      return this.#books[table]!.map(({ values }) =>
        Object.fromEntries(names.map((name, i) => [name, values[i] ?? 0])),
      );
    };
    const { one: _, ...counts } = of('totals')[0]!;
    const lanes = of('lane').map(({ lane, ...rest }) => [lane, rest]);
    return {
      ...steeringFrom([]),
      positions: of('position') as unknown as Steering['positions'],
      totals: counts as Steering['totals'],
      lanes: Object.fromEntries(lanes) as Steering['lanes'],
      meta: of('meta') as unknown as Steering['meta'],
      sequences: this.#sequences,
    };
  }

  #insert({ table, row }: ProvenRow): void {
    let insert = this.#inserts.get(table);
    if (insert === undefined) {
      const names = Object.keys(row);
      insert = this.#db.prepare(
        `INSERT OR IGNORE INTO ${table} (${names.join(', ')})
          VALUES (${names.map((name) => `@${name}`).join(', ')})`,
      );
      this.#inserts.set(table, insert);
    }
    const { changes } = insert.run(row);
    this.saved[table] = (this.saved[table] ?? 0) + changes;
  }
}

/** Where the streams stand at least, by the rows that are left: used only when every copy of the books is damaged. */
function seenPositions(db: Database.Database): Steering['positions'] {
  const last = new Map<string, Steering['positions'][number]>();
  const see = (seen: { stream: string; epoch: string; lastSeq: number } | null): void => {
    if (seen === null) return;
    const { stream, epoch, lastSeq } = seen;
    const known = last.get(openKey(seen));
    if (known === undefined || known.through < lastSeq) {
      last.set(openKey(seen), { stream, epoch, through: lastSeq, skipped: 0 });
    }
  };
  const texts = (sql: string): string[] => db.prepare(sql).pluck().all() as string[];
  for (const text of texts('SELECT state FROM asset')) {
    const { rollups } = JSON.parse(text) as { rollups: { current: never; late: never } };
    see(rollups.current);
    see(rollups.late);
  }
  for (const text of texts('SELECT record FROM rollup')) see(JSON.parse(text) as never);
  return [...last.values()];
}

/**
 * Rows that were settled long ago may come back from a page that is free, when what led past it is damaged too. The
 * books know the oldest that is pending.
 */
function forgetSettled(db: Database.Database, { oldest }: Steering): void {
  const forget = db.prepare('DELETE FROM outbox WHERE lane = ? AND number < ?');
  for (const lane of LANES) forget.run(lane, oldest[lane] ?? Number.MAX_SAFE_INTEGER);
}

/**
 * The copy beside the database is older than its rows. What came after it never left, and its readings come again or are
 * in the gap up to the last receipt; so what is left of it must not count as well.
 */
function forgetNewer(db: Database.Database, { sequences, sealed }: Steering): void {
  const last = sequences.find(({ name }) => name === 'outbox')?.seq ?? 0;
  db.prepare('DELETE FROM outbox WHERE number > ?').run(last);
  db.prepare('DELETE FROM asset').run();
  const known = JSON.stringify(sealed.map(({ number }) => number));
  db.prepare('DELETE FROM blob WHERE number NOT IN (SELECT value FROM json_each(?))').run(known);
}

/** What the books count as pending and is not there is lost: dead, and in a gap record. */
function settleLanes(db: Database.Database, steering: Steering): number {
  const counted = new Map(
    (
      db
        .prepare('SELECT lane, COUNT(*) AS count, SUM(bytes) AS bytes FROM outbox GROUP BY lane')
        .all() as { lane: Lane; count: number; bytes: number }[]
    ).map((row) => [row.lane, row]),
  );
  const newestNumber = steering.sequences.find(({ name }) => name === 'outbox')?.seq ?? 0;
  let total = 0;
  for (const lane of LANES) {
    const { count, bytes } = counted.get(lane) ?? { count: 0, bytes: 0 };
    const lost = (steering.lanes[lane]?.pending ?? 0) - count;
    db.prepare(
      `UPDATE lane SET pending = @count, pendingBytes = @bytes,
        dead = dead + @dead, produced = produced + @unknown WHERE lane = @lane`,
    ).run({ lane, count, bytes, dead: Math.max(lost, 0), unknown: Math.max(-lost, 0) });
    if (lost <= 0) continue;
    total += lost;
    const first = steering.oldest[lane] ?? 1;
    const last = Math.max(newestNumber, first + lost - 1);
    const reason = 'damaged in the database of the forwarder';
    recordLoss(db, { source: `lane:${lane}`, first, last, count: lost, reason });
  }
  return total;
}
