import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { REJECTS_KEPT_MAX, RejectLog } from './reject-log.ts';

const refusals = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({
    row: from + i,
    code: 'shape' as const,
    path: 'p'.repeat(1000),
    value: 'v',
    allowed: 'must be good',
  }));
const from = { source: 'http' as const, timeMs: 5, what: '' };

describe('RejectLog', () => {
  it('keeps what it was told over a restart, newest first', () => {
    const path = join(temporaryFolder(), 'rejects.db');
    const first = new RejectLog(path);
    first.add(refusals(2), from);
    first.close();
    const second = new RejectLog(path);
    expect(second.list().map(({ place }) => place)).toEqual(['row 1', 'row 0']);
    expect(second.list(1)[0]).toEqual({
      timeMs: 5,
      source: 'http',
      code: 'shape',
      place: 'row 1',
      path: 'p'.repeat(300),
      value: 'v',
      allowed: 'must be good',
    });
    second.close();
  });

  it('stores no more than a thousand rows, the newest', () => {
    const path = join(temporaryFolder(), 'rejects.db');
    const log = new RejectLog(path);
    for (let at = 0; at < 2_500; at += 100) {
      log.add(refusals(100, at), from);
      log.flush();
    }
    expect(log.list()[0]?.place).toBe('row 2499');
    log.close();
    const db = new Database(path);
    expect(db.prepare('SELECT count(*) FROM rejects').pluck().get()).toBe(REJECTS_KEPT_MAX);
    db.close();
  });

  it('holds no more than a thousand rows in memory', () => {
    const log = new RejectLog(join(temporaryFolder(), 'rejects.db'));
    log.add(refusals(5_000), from);
    expect(log.list()).toHaveLength(REJECTS_KEPT_MAX);
    expect(log.list()[0]?.place).toBe('row 4999');
    log.close();
  });

  it('keeps the newest in memory while the disk does not take them, and writes them when it does', () => {
    const folder = join(temporaryFolder(), 'later');
    const troubles: string[] = [];
    const log = new RejectLog(join(folder, 'rejects.db'), ({ message }) => troubles.push(message));
    log.add(refusals(2), from);
    expect(log.list().map(({ place }) => place)).toEqual(['row 1', 'row 0']);
    expect(troubles.length).toBeGreaterThan(0);
    mkdirSync(folder);
    log.flush();
    log.close();
    const next = new RejectLog(join(folder, 'rejects.db'));
    expect(next.list()).toHaveLength(2);
    next.close();
  });

  it('puts a damaged file aside and begins anew', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'rejects.db');
    writeFileSync(path, 'not a database '.repeat(100));
    const log = new RejectLog(path);
    log.add(refusals(2), from);
    log.flush();
    log.close();
    const next = new RejectLog(path);
    expect(next.list()).toHaveLength(2);
    next.close();
    expect(readdirSync(join(folder, 'damaged'))).toHaveLength(1);
  });
});
