import { mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { ForwarderError } from '../errors.ts';

/** Grows with each change of the tables below; a database of a newer one is refused. */
const SCHEMA_VERSION = 1;

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

/**
 * Opens the forwarder's database, made anew when missing. Every commit is on disk when it returns.
 * @throws ForwarderError FWD_STORE_DAMAGED, FWD_STORE_NEWER
 */
export function openDatabase(file: string): Database.Database {
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    const db = new Database(file);
    db.pragma('journal_mode = WAL');
    // FULL: the write-ahead log is synced at each commit, so a power cut takes nothing that a receipt covers.
    db.pragma('synchronous = FULL');
    // 4 MiB of pages: enough for the hot end of each table; memory must not grow with the backlog.
    db.pragma('cache_size = -4096');
    // A checkpoint every 16 MiB of log instead of 4: pages that each batch touches are written back less often.
    db.pragma('wal_autocheckpoint = 4096');
    db.pragma('journal_size_limit = 67108864');
    migrate(db, file);
    return db;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    const code = String(error.code);
    if (code !== 'SQLITE_CORRUPT' && code !== 'SQLITE_NOTADB') throw error;
    throw new ForwarderError(
      'FWD_STORE_DAMAGED',
      `the database ${file} is damaged (${code})`,
      'stop the module, move the file away to save what can be saved, and start again',
      error,
    );
  }
}

/** A second connection for queries: it never waits for the writer, nor the writer for it. */
export function openForReading(file: string): Database.Database {
  const db = new Database(file, { readonly: true });
  db.pragma('cache_size = -2048');
  return db;
}

function migrate(db: Database.Database, file: string): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version > SCHEMA_VERSION) {
    throw new ForwarderError(
      'FWD_STORE_NEWER',
      `the database ${file} has version ${version}, this module knows up to ${SCHEMA_VERSION}`,
      'deploy the newer module again',
    );
  }
  if (version === SCHEMA_VERSION) return;
  db.transaction(() => {
    db.exec(SCHEMA);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}
