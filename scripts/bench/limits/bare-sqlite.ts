import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';

/** Commits a second of one blob of so many bytes, each synced: what SQLite gives whoever stores nothing else. */
export function bareSqlite(bytes: number, seconds: number): number {
  return inFolder((folder) => {
    const db = new Database(path.join(folder, 'bare.db'));
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    db.pragma('wal_autocheckpoint = 8192');
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB NOT NULL)');
    const insert = db.prepare('INSERT INTO t (body) VALUES (?)');
    const body = Buffer.alloc(bytes, 0x5a);
    const rate = rateOf(seconds, () => insert.run(body));
    db.close();
    return rate;
  });
}

/** Appends of so many bytes to a plain file a second, each synced: what the disk gives. */
export function bareDisk(bytes: number, seconds: number): number {
  return inFolder((folder) => {
    const file = openSync(path.join(folder, 'bare.log'), 'w');
    const body = Buffer.alloc(bytes, 0x5a);
    const rate = rateOf(seconds, () => {
      writeSync(file, body);
      fdatasyncSync(file);
    });
    closeSync(file);
    return rate;
  });
}

/** Calls a second of a function that is called for so long. */
export function rateOf(seconds: number, call: () => void): number {
  const start = performance.now();
  let calls = 0;
  while (performance.now() - start < seconds * 1_000) {
    call();
    calls += 1;
  }
  return (calls * 1_000) / (performance.now() - start);
}

function inFolder<T>(work: (folder: string) => T): T {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-limit-'));
  try {
    return work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
