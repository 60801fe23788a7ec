import Database from 'better-sqlite3';
import { ForwarderError } from '../errors.ts';
import { storeDamaged } from './damage.ts';

/** Grows with each change of the tables below; a database of a newer one is refused. */
export const SCHEMA_VERSION = 1;

/**
 * Tables of the forwarder.
 * - `position`, `asset`, `totals`: what has been applied; with `anomaly`, `rollup`, `segment`, `gap`: the insights.
 * - `outbox`: records that wait for upload, `blob` null until sealed. AUTOINCREMENT, so a number is never used again.
 * - `blob`: sealed and not yet delivered. `lane`: the accounting; `pending` must equal the rows in `outbox`.
 * - `dead`: records that the store refuses for good.
 */
const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE position (stream TEXT, epoch TEXT, through INTEGER NOT NULL,
  skipped INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (stream, epoch)) WITHOUT ROWID;
CREATE TABLE asset (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE totals (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  applied INTEGER NOT NULL DEFAULT 0, scored INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0, unscored INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  anomalies INTEGER NOT NULL DEFAULT 0, rollups INTEGER NOT NULL DEFAULT 0,
  gaps INTEGER NOT NULL DEFAULT 0, blobs INTEGER NOT NULL DEFAULT 0,
  segmentsOverwritten INTEGER NOT NULL DEFAULT 0, scoresOverwritten INTEGER NOT NULL DEFAULT 0,
  insightsExpired INTEGER NOT NULL DEFAULT 0, deadOverwritten INTEGER NOT NULL DEFAULT 0);
INSERT INTO totals (one) VALUES (1);
CREATE TABLE anomaly (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, asset TEXT NOT NULL,
  startT INTEGER NOT NULL, endT INTEGER, record TEXT NOT NULL);
CREATE INDEX anomalyByTime ON anomaly (startT);
CREATE TABLE rollup (number INTEGER PRIMARY KEY, asset TEXT NOT NULL, minuteT INTEGER NOT NULL,
  part INTEGER NOT NULL, record TEXT NOT NULL);
CREATE INDEX rollupByAsset ON rollup (asset, minuteT, part);
CREATE TABLE segment (number INTEGER PRIMARY KEY, asset TEXT NOT NULL, firstT INTEGER NOT NULL,
  lastT INTEGER NOT NULL, rows INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX segmentByAsset ON segment (asset, lastT, firstT);
CREATE TABLE gap (number INTEGER PRIMARY KEY, t INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, kind TEXT NOT NULL,
  date TEXT NOT NULL, blob INTEGER, bytes INTEGER NOT NULL, addedMs INTEGER NOT NULL,
  record TEXT NOT NULL);
CREATE INDEX outboxWaiting ON outbox (lane, kind, date, number) WHERE blob IS NULL;
CREATE INDEX outboxByLane ON outbox (lane, number) WHERE blob IS NULL;
CREATE INDEX outboxByBlob ON outbox (blob, number) WHERE blob IS NOT NULL;
CREATE TABLE blob (number INTEGER PRIMARY KEY AUTOINCREMENT, lane TEXT NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, recordsHash TEXT NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL,
  oldestMs INTEGER NOT NULL, refusals INTEGER NOT NULL DEFAULT 0);
CREATE TABLE lane (lane TEXT PRIMARY KEY, produced INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL DEFAULT 0,
  denied INTEGER NOT NULL DEFAULT 0, evicted INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0, pendingBytes INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
INSERT INTO lane (lane) VALUES ('audit'), ('critical'), ('normal'), ('bulk');
CREATE TABLE dead (number INTEGER PRIMARY KEY, lane TEXT NOT NULL, kind TEXT NOT NULL,
  diedMs INTEGER NOT NULL, reason TEXT NOT NULL, record TEXT NOT NULL);
`;

const TABLES = [...SCHEMA.matchAll(/CREATE TABLE (\w+)/g)].map(([, name]) => name!);

/**
 * What later versions added. Version 1 must go on working with such a database and the other way round, so everything
 * here is additive: columns may be null, and version 1 leaves them null.
 * - `sum`: checksum of the row, see `row-sum.ts`. A trigger takes it away when version 1 changes a row without it.
 * - `proofA`, `proofB`: copies of everything that steers, see `proof.ts`.
 * - `loss`: what is gone and has no gap record yet. `damage`: what damage has cost so far.
 */
const SUMMED = ['outbox', 'blob', 'asset', 'anomaly', 'rollup', 'gap', 'dead', 'segment'];
const ADDITIONS = `
CREATE TABLE IF NOT EXISTS proofA (one INTEGER PRIMARY KEY, body TEXT NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS loss (number INTEGER PRIMARY KEY, source TEXT NOT NULL, first INTEGER NOT NULL,
  last INTEGER NOT NULL, count INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS damage (what TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS assetUnproven AFTER UPDATE OF state ON asset WHEN NEW.sum IS OLD.sum
  BEGIN UPDATE asset SET sum = NULL WHERE name = NEW.name; END;
CREATE TRIGGER IF NOT EXISTS anomalyUnproven AFTER UPDATE OF record ON anomaly WHEN NEW.sum IS OLD.sum
  BEGIN UPDATE anomaly SET sum = NULL WHERE number = NEW.number; END;
CREATE TABLE IF NOT EXISTS proofB (one INTEGER PRIMARY KEY, body TEXT NOT NULL, sum INTEGER NOT NULL);
`;

/**
 * Brings the tables to what this version needs.
 * @throws ForwarderError FWD_STORE_NEWER, FWD_STORE_DAMAGED when the catalogue is not what any version has made
 */
export function prepareSchema(db: Database.Database, file: string): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  const tables = new Set(
    db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[],
  );
  if (version > SCHEMA_VERSION) {
    throw new ForwarderError(
      'FWD_STORE_NEWER',
      `the database ${file} has version ${version}, this module knows up to ${SCHEMA_VERSION}`,
      'deploy the newer module again',
    );
  }
  if (version !== SCHEMA_VERSION && (version !== 0 || tables.size > 0)) {
    throw storeDamaged(`its version is ${version}, and it has ${tables.size} tables`);
  }
  db.transaction(() => {
    if (version === 0) {
      db.exec(SCHEMA);
      db.pragma(`user_version = ${SCHEMA_VERSION}`);
    } else {
      const missing = TABLES.filter((table) => !tables.has(table));
      if (missing.length > 0) throw storeDamaged(`it lacks the tables ${missing.join(', ')}`);
    }
    if (!tables.has('proofB')) extend(db);
    checkCatalogue(db);
  })();
}

function extend(db: Database.Database): void {
  for (const table of SUMMED) addColumn(db, table, 'sum INTEGER');
  db.exec(ADDITIONS);
}

/**
 * The catalogue is text that SQLite compiles at each start: one bit in it renames a column. Newer versions may have added
 * columns at the end of a table.
 */
function checkCatalogue(db: Database.Database): void {
  const found = catalogueOf(db);
  for (const [name, sql] of expectedCatalogue()) {
    const end = sql.lastIndexOf(')');
    if (found.get(name)?.startsWith(sql.slice(0, end)) !== true) {
      throw storeDamaged(`its definition of ${name} is not what it was`);
    }
  }
}

function expectedCatalogue(): Map<string, string> {
  const db = new Database(':memory:');
  try {
    db.exec(SCHEMA);
    extend(db);
    return catalogueOf(db);
  } finally {
    db.close();
  }
}

const catalogueOf = (db: Database.Database): Map<string, string> =>
  new Map(
    db.prepare('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL').raw().all() as [
      string,
      string,
    ][],
  );

function addColumn(db: Database.Database, table: string, column: string): void {
  const known = db.pragma(`table_info(${table})`) as { name: string }[];
  if (known.some(({ name }) => column.startsWith(`${name} `))) return;
  db.exec(`ALTER TABLE ${table} ADD COLUMN ${column}`);
}
