import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { LANES } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { firstIn } from '../domain/blob-name.ts';
import type { SealedName, Steering } from '../domain/steering.ts';
import { storeDamaged } from './damage.ts';
import type { Position, Totals } from './insight-store.ts';
import { syncFolder, writeSynced } from './quarantine.ts';
import { sumOf } from './row-sum.ts';
import { SCHEMA_VERSION } from './schema.ts';
import { blobHolds } from './sealed-blob.ts';

/**
 * A second and a third copy of everything that steers, with a checksum, written in the same transaction as the tables
 * it is read from. They lie in two tables, so that one damaged page never takes both.
 */
export const PROOF_TABLES = ['proofA', 'proofB'] as const;

export class Proof {
  readonly #db: Database.Database;
  readonly #read: Record<
    'positions' | 'totals' | 'lanes' | 'meta' | 'sequences' | 'sealed',
    Database.Statement
  >;
  readonly #oldest: Database.Statement;
  readonly #write: Database.Statement[];
  /** Readings in open rollups by stream and epoch, see `openKey`; kept up by the application. Null when not known. */
  open: Record<string, number> | null = null;
  #commits = 0;
  #last = '';

  constructor(db: Database.Database) {
    this.#db = db;
    this.#read = {
      positions: db.prepare('SELECT stream, epoch, through, skipped FROM position'),
      totals: db.prepare('SELECT * FROM totals'),
      lanes: db.prepare('SELECT * FROM lane'),
      meta: db.prepare('SELECT key, value FROM meta'),
      sequences: db.prepare('SELECT name, seq FROM sqlite_sequence'),
      sealed: db.prepare(
        'SELECT number, lane, kind, name, recordsHash, count, bytes, sum FROM blob',
      ),
    };
    this.#oldest = db.prepare(
      `SELECT lane, (SELECT number FROM outbox WHERE outbox.lane = lane.lane AND blob IS NULL
        ORDER BY number LIMIT 1) AS number FROM lane`,
    );
    this.#write = PROOF_TABLES.map((table) =>
      db.prepare(`INSERT OR REPLACE INTO ${table} (one, body, sum) VALUES (1, ?, ?)`),
    );
  }

  /** Copies what the tables say now. Inside a transaction. */
  write(): void {
    this.#commits++;
    const body = JSON.stringify(this.tables());
    const sum = sumOf('proof', [], body);
    for (const statement of this.#write) statement.run(body, sum);
    this.#last = `${sum}\n${body}`;
  }

  /**
   * Copies what was last written, and is committed, into a file of its own. Done before a blob leaves: then even a
   * database that is lost as a whole goes on behind everything that anybody outside has seen.
   */
  keepAside(): void {
    const file = asideOf(this.#db.name);
    writeSynced(`${file}-new`, this.#last);
    renameSync(`${file}-new`, file);
    syncFolder(path.dirname(file));
  }

  /** Writes, and counts on from what was salvaged. */
  continueFrom({ commits }: Steering): void {
    this.#commits = commits;
    this.write();
  }

  /** What the tables say, without proof. @throws what SQLite throws for a damaged page */
  tables(): Steering {
    const { one: _, ...totals } = this.#read.totals.get() as Totals & { one: number };
    const lanes = this.#read.lanes.all() as ({ lane: string } & Steering['lanes'][string])[];
    const sealed = wholeBlobs(this.#read.sealed.all());
    return {
      schema: SCHEMA_VERSION,
      commits: this.#commits,
      positions: this.#read.positions.all() as Position[],
      totals,
      lanes: Object.fromEntries(lanes.map(({ lane, ...counts }) => [lane, counts])),
      meta: this.#read.meta.all() as Steering['meta'],
      sequences: this.#read.sequences.all() as Steering['sequences'],
      sealed,
      oldest: this.#oldestOf(sealed),
      open: this.open,
    };
  }

  /** Waiting, or in a sealed blob, whose name tells its first record. */
  #oldestOf(sealed: Steering['sealed']): Steering['oldest'] {
    const oldest: Steering['oldest'] = {};
    for (const { lane, number } of this.#oldest.all() as {
      lane: string;
      number: number | null;
    }[]) {
      const firsts = sealed.filter((blob) => blob.lane === lane).map(({ name }) => firstIn(name));
      const numbers = number === null ? firsts : [...firsts, number];
      if (numbers.length > 0) oldest[lane] = Math.min(...numbers);
    }
    return oldest;
  }

  /** The newest copy that proves itself; undefined when there is none. Goes on counting from it. */
  read(): { steering: Steering | undefined; damaged: number } {
    const rows = PROOF_TABLES.map((table) =>
      this.#db.prepare(`SELECT body, sum FROM ${table}`).get(),
    ) as ({ body: unknown; sum: unknown } | undefined)[];
    const found = rows.map((row) =>
      row === undefined ? undefined : provenSteering(row.body, row.sum),
    );
    const steering = newest(found);
    this.#commits = steering?.commits ?? 0;
    this.open = steering?.open ?? null;
    return { steering, damaged: rows.filter((row, i) => row !== undefined && !found[i]).length };
  }
}

const asideOf = (file: string): string => `${file}-proof`;

/** The copy beside a database; undefined when there is none or it is damaged. */
export function readAside(file: string): Steering | undefined {
  if (!existsSync(asideOf(file))) return undefined;
  const text = readFileSync(asideOf(file), 'utf8');
  const line = text.indexOf('\n');
  return provenSteering(text.slice(line + 1), Number(text.slice(0, line)));
}

export const newest = (found: readonly (Steering | undefined)[]): Steering | undefined =>
  found.filter((one) => one !== undefined).sort((a, b) => b.commits - a.commits)[0];

/** @returns undefined unless body and checksum belong together */
export function provenSteering(body: unknown, sum: unknown): Steering | undefined {
  if (typeof body !== 'string' || sumOf('proof', [], body) !== sum) return undefined;
  return JSON.parse(body) as Steering;
}

/** Makes the tables say what was proven. Inside a transaction. */
export function writeSteering(db: Database.Database, steering: Steering): void {
  db.exec('DELETE FROM position; DELETE FROM meta; DELETE FROM totals; DELETE FROM lane;');
  const put = (table: string, row: object): void => {
    const names = Object.keys(row);
    db.prepare(
      `INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    ).run(...Object.values(row));
  };
  for (const position of steering.positions) put('position', position);
  for (const fact of steering.meta) put('meta', fact);
  put('totals', { one: 1, ...steering.totals });
  for (const lane of LANES) put('lane', { lane, ...steering.lanes[lane] });
  for (const { name, seq } of steering.sequences) {
    const raise = db.prepare('UPDATE sqlite_sequence SET seq = MAX(seq, ?) WHERE name = ?');
    if (raise.run(seq, name).changes === 0) put('sqlite_sequence', { name, seq });
  }
}

/** @throws ForwarderError FWD_STORE_DAMAGED: a damaged name must not get into a copy that proves itself */
function wholeBlobs(rows: readonly unknown[]): Steering['sealed'] {
  return rows.map((row) => {
    const { sum, ...blob } = row as SealedName & { sum: number | null };
    if (!blobHolds({ ...blob, refusals: 0, sum })) {
      throw storeDamaged(`the name of sealed blob ${blob.number}`);
    }
    return blob;
  });
}

const proofs = new WeakMap<Database.Database, Proof>();

/** The proof that goes with a connection. */
export function proofOf(db: Database.Database): Proof {
  let proof = proofs.get(db);
  if (proof === undefined) {
    proof = new Proof(db);
    proofs.set(db, proof);
  }
  return proof;
}

/** Runs a function in one transaction, with its proof; on disk when this returns. */
export function provenTransaction<Result>(db: Database.Database, work: () => Result): Result {
  return db.transaction(() => {
    const done = work();
    proofOf(db).write();
    return done;
  })();
}
