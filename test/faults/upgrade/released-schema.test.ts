/**
 * Goal: the release before can use a store that this one has opened (docs/decisions/0009-formats-only-grow.md).
 * Method: the tables of the release before, frozen in released/, are opened by this release; then each old table is
 * held against its old self, and the old statements are run.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Journal } from '@holdfast/journal';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { openDatabase } from '../../../modules/forwarder/src/adapters/database.ts';

interface Column {
  name: string;
  type: string;
  notnull: 0 | 1;
  dflt_value: string | null;
  pk: number;
}

const released = (name: string): string =>
  readFileSync(path.join(__dirname, 'released', `${name}.sql`), 'utf8');

/** A store as the release before makes it. */
function oldStore(name: 'journal' | 'forwarder', applicationId: number): string {
  const file = path.join(temporaryFolder('released'), `${name}.db`);
  const db = new Database(file);
  db.pragma('auto_vacuum = INCREMENTAL');
  db.exec(released(name));
  db.pragma('user_version = 1');
  db.pragma(`application_id = ${applicationId}`);
  if (name === 'forwarder') {
    db.exec("INSERT INTO totals (one) VALUES (1); INSERT INTO lane (lane) VALUES ('bulk')");
    db.exec("INSERT INTO lane (lane) VALUES ('audit'), ('critical'), ('normal')");
  }
  db.close();
  return file;
}

/** All that the release before could trip over, by comparing its tables with those of today. */
function breaches(name: string, file: string): string[] {
  const old = new Database(':memory:');
  old.exec(released(name));
  const now = new Database(file, { readonly: true });
  const found: string[] = [];
  const version = now.pragma('user_version', { simple: true });
  if (version !== 1) found.push(`user_version is ${version}`);
  const tables = old
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all() as string[];
  for (const table of tables) {
    const before = old.pragma(`table_info(${table})`) as Column[];
    const after = now.pragma(`table_info(${table})`) as Column[];
    for (const { name: column, type, notnull, dflt_value, pk } of before) {
      const same = after.find((one) => one.name === column);
      const wanted = { type, notnull, dflt_value, pk };
      if (JSON.stringify({ ...same, ...wanted }) !== JSON.stringify(same)) {
        found.push(`${table}.${column} is not what it was`);
      }
    }
    for (const { name: column, notnull, dflt_value } of after) {
      if (before.some((one) => one.name === column)) continue;
      if (notnull === 1 && dflt_value === null) found.push(`${table}.${column} must be given`);
    }
    const uniqueOf = (db: Database.Database): number =>
      (db.pragma(`index_list(${table})`) as { unique: number }[]).filter((one) => one.unique === 1)
        .length;
    if (uniqueOf(now) !== uniqueOf(old)) found.push(`${table} is unique in another way`);
  }
  old.close();
  now.close();
  return found;
}

describe('the release before', () => {
  it('finds its journal as it was, and can write to it', () => {
    const file = oldStore('journal', 0x48464a4c);
    let epochs = 0;
    const open = () =>
      Journal.open({
        path: file,
        partitions: 2,
        streamPrefix: 'ingest',
        newEpoch: () => String(++epochs).padStart(16, '0'),
        wallMs: () => 1,
      });
    open().close();
    expect(breaches('journal', file)).toEqual([]);
    const db = new Database(file);
    db.exec(`
      INSERT INTO key (id, digest, result, at) VALUES ('k', 'd', 'r', 1);
      INSERT INTO stream (partition, epoch, base, receipted, lost) VALUES (0, 'abcdef0123456789', 0, 0, 0)
        ON CONFLICT (partition) DO UPDATE SET epoch = excluded.epoch, base = excluded.base;
      INSERT OR REPLACE INTO setting (name, value) VALUES ('lookback', 3);`);
    db.close();
    const journal = open();
    expect(journal.findKey('k')).toEqual({ digest: 'd', result: 'r' });
    expect(journal.streams[0]?.epoch).toBe('abcdef0123456789');
    expect(journal.lookback).toBe(3);
    journal.close();
  });

  it('finds the forwarder’s store as it was, and can write to it', () => {
    const file = oldStore('forwarder', 0);
    openDatabase(file).close();
    expect(breaches('forwarder', file)).toEqual([]);
    const db = new Database(file);
    db.exec(`
      INSERT INTO outbox (lane, kind, date, bytes, addedMs, record) VALUES ('bulk', 'scores', '2025-01-01', 2, 1, '{}');
      INSERT INTO blob (lane, kind, name, recordsHash, count, bytes, oldestMs) VALUES ('bulk', 'scores', 'n', 'h', 1, 2, 1);
      INSERT INTO position (stream, epoch, through) VALUES ('s', 'e', 1)
        ON CONFLICT DO UPDATE SET through = excluded.through;
      INSERT INTO asset (name, state) VALUES ('a', '{}') ON CONFLICT DO UPDATE SET state = excluded.state;
      INSERT INTO anomaly (id, asset, startT, endT, record) VALUES ('i', 'a', 1, NULL, '{}')
        ON CONFLICT (id) DO UPDATE SET endT = excluded.endT, record = excluded.record;
      INSERT INTO rollup (asset, minuteT, part, record) VALUES ('a', 1, 0, '{}');
      INSERT INTO segment (asset, firstT, lastT, rows, body) VALUES ('a', 1, 1, 1, x'00');
      INSERT INTO gap (t, record) VALUES (1, '{}');
      INSERT INTO dead (lane, kind, diedMs, reason, record) VALUES ('bulk', 'scores', 1, 'r', '{}');
      UPDATE totals SET applied = applied + 1;
      UPDATE lane SET produced = produced + 1, pending = pending + 1 WHERE lane = 'bulk';
      DELETE FROM outbox; DELETE FROM blob;`);
    db.close();
    openDatabase(file).close();
  });
});
