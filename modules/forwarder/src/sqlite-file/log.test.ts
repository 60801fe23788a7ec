import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { StoreImage } from './image.ts';
import { repairedLog, scanLog } from './log.ts';
import { RowReader } from './rows.ts';

const FRAME = 4120;

/** A database and a log with `commits` transactions of one row each, as a SIGKILL leaves them. */
function aLog(commits: number): { file: string; log: Buffer } {
  const file = path.join(temporaryFolder('log'), 'a.db');
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('wal_autocheckpoint = 0');
  db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)');
  for (let n = 1; n <= commits; n++) {
    db.prepare('INSERT INTO t VALUES (?, ?)').run(n, `row ${n} `.repeat(n % 7 === 0 ? 900 : 20));
  }
  const log = readFileSync(`${file}-wal`);
  db.close();
  return { file, log };
}

describe('the log of a database', () => {
  it('is read to its end when nothing is wrong', () => {
    const { log } = aLog(20);
    const scan = scanLog(log);
    expect(scan.damaged).toBe(false);
    expect(scan.readable).toBe(scan.frames.length);
    expect(scan.frames.every(({ proven }) => proven)).toBe(true);
  });

  it('proves the frames behind a damaged one, wherever that is damaged', () => {
    const { log } = aLog(20);
    const frames = scanLog(log).frames.length;
    for (const within of [1, 9, 17, 22, 24, 2_000]) {
      const damaged = Buffer.from(log);
      const at = 32 + 5 * FRAME + within;
      damaged[at] = damaged[at]! ^ 4;
      const scan = scanLog(damaged);
      expect(scan.damaged).toBe(true);
      expect(scan.frames).toHaveLength(frames);
      expect(scan.frames.filter(({ proven }) => !proven).length).toBeLessThanOrEqual(1);
      const repaired = scanLog(repairedLog(damaged, scan));
      expect(repaired).toMatchObject({ damaged: false, readable: frames });
    }
  });

  it('takes an end that is torn for a power cut', () => {
    const { log } = aLog(20);
    const { frames } = scanLog(log);
    const last = frames.length - 1;
    const torn = Buffer.from(log);
    torn[32 + last * FRAME + 100] = torn[32 + last * FRAME + 100]! ^ 1;
    expect(scanLog(torn)).toMatchObject({ damaged: false });
    expect(scanLog(torn).frames.length).toBeLessThan(frames.length);
    expect(scanLog(log.subarray(0, 32 + last * FRAME + 500)).damaged).toBe(false);
    expect(scanLog(Buffer.alloc(0))).toMatchObject({ damaged: false, frames: [] });
  });

  it('forgets frames of an earlier life of the log', () => {
    const file = path.join(temporaryFolder('log'), 'a.db');
    const db = new Database(file);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)');
    for (let n = 1; n <= 10; n++) db.prepare('INSERT INTO t VALUES (?)').run(n);
    db.pragma('wal_checkpoint(RESTART)');
    db.prepare('INSERT INTO t VALUES (11)').run();
    const scan = scanLog(readFileSync(`${file}-wal`));
    db.close();
    expect(scan).toMatchObject({ damaged: false, readable: 1 });
  });
});

describe('rows of a database without SQLite', () => {
  it('are those that SQLite reads, on overflow pages and after deletions too', () => {
    const file = path.join(temporaryFolder('rows'), 'a.db');
    const db = new Database(file);
    db.exec(
      'CREATE TABLE t (n INTEGER PRIMARY KEY, a, b, c); CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID',
    );
    const values = [
      null,
      0,
      1,
      -1,
      127,
      40_000,
      -9_000_000,
      2 ** 40,
      1.5,
      'text',
      'ü'.repeat(3_000),
    ];
    for (let n = 1; n <= 1_500; n++) {
      const of = (step: number): unknown => values[(n * step) % values.length];
      db.prepare('INSERT INTO t VALUES (?, ?, ?, ?)').run(n, of(1), of(3), of(5));
      db.prepare('INSERT INTO w VALUES (?, ?)').run(`key ${n}`, of(7));
    }
    db.exec(
      "DELETE FROM t WHERE n % 3 = 0 OR n BETWEEN 200 AND 900; DELETE FROM w WHERE k < 'key 5'",
    );
    const expected = db.prepare('SELECT * FROM t ORDER BY n').raw().all();
    const keyed = db.prepare('SELECT * FROM w').raw().all() as [string, unknown][];
    db.close();
    const image = new StoreImage(file);
    const reader = new RowReader(image);
    const roots = new Map(reader.trees().map(({ name, root }) => [name, root]));
    const rows = [...reader.rows(roots.get('t')!)];
    expect(rows.map(({ number, values: [, ...rest] }) => [number, ...rest])).toEqual(expected);
    const found = [...reader.rows(roots.get('w')!)].map(
      ({ values: row }) => row as [string, unknown],
    );
    expect(found.sort(([a], [b]) => (a < b ? -1 : 1))).toEqual(keyed);
    expect([...reader.strays()]).toEqual([]);
    image.close();
  });
});
