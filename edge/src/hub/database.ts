import Database from 'better-sqlite3';

export type HubDatabase = Database.Database;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS endpoint (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  meta TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS queue (
  endpoint INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  message INTEGER NOT NULL,
  enqueued_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  shared INTEGER NOT NULL,
  PRIMARY KEY (endpoint, priority, message)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shared (message INTEGER PRIMARY KEY, remaining INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS subscription (
  client TEXT NOT NULL, topic TEXT NOT NULL, qos INTEGER NOT NULL,
  PRIMARY KEY (client, topic)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin (
  client TEXT PRIMARY KEY,
  desired TEXT NOT NULL, desired_version INTEGER NOT NULL,
  reported TEXT NOT NULL, reported_version INTEGER NOT NULL,
  manifest TEXT NOT NULL DEFAULT '',
  deployment TEXT NOT NULL DEFAULT '',
  reported_synced INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
`;

/**
 * Pages (of 4 kB) in the write-ahead log before they are written back: 128 MB. Bodies are mostly consumed long
 * before, so a page that was reused many times is written back once.
 */
const CHECKPOINT_PAGES = 32_768;

/** Bytes of page cache; bounded because the hub's memory must not grow with its backlog. */
const CACHE_KIB = 4_096;

/**
 * Opens `hub.db`. A commit survives the end of the process, but not a power cut: as in the real edge hub, whose
 * store does not sync either. Nothing of Holdfast relies on more (docs/decisions/0007-hub-does-not-fsync.md).
 */
export function openDatabase(path: string): HubDatabase {
  const db = new Database(path);
  // Before the first table: lets the file shrink in steps after a backlog is gone.
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = NORMAL');
  db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  db.pragma(`cache_size = -${CACHE_KIB}`);
  db.pragma('temp_store = MEMORY');
  db.exec(SCHEMA);
  return db;
}
