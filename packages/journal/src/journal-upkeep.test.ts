import { copyFileSync, rmSync, statSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import {
  aReading,
  codeOf,
  errorOf,
  JournalFolder,
  someRows,
  T0,
} from './testing/journal-folder.ts';

const everything = { after: 0, bytesMax: 1e9, lookback: 0 };

describe('Journal upkeep', () => {
  const folder = new JournalFolder();

  it('forgets what is receipted and uses the space again', () => {
    const bytesAfter = (rounds: number): number => {
      folder.use(`${rounds}.db`);
      const journal = folder.open();
      for (let round = 1; round <= rounds; round += 1) {
        for (let commit = 0; commit < 520; commit += 1) journal.append(someRows(5, 'a', commit));
        journal.receipt(0, round * 2_600);
        journal.prune();
        expect(journal.backlog()).toEqual({ readings: 0, bytes: 0 });
      }
      const left = folder.inDatabase((db) =>
        db.prepare('SELECT count(*) FROM chunk_0').pluck().get(),
      );
      expect(left).toBe(0);
      return statSync(folder.path).size;
    };
    expect(bytesAfter(3)).toBeLessThan(bytesAfter(1) * 1.3);
  });

  it('gives the disk back what an outage has filled', () => {
    const journal = folder.open({ freeBytesMax: 100_000 });
    for (let commit = 0; commit < 10; commit += 1) {
      journal.append(
        someRows(4_000).map((row) => ({ ...row, values: [Math.sin(row.t), Math.cos(row.t)] })),
      );
    }
    journal.append(someRows(1));
    journal.receipt(0, 40_000);
    journal.prune();
    expect(journal.readBatch(0, { ...everything, after: 40_000 })).toMatchObject({ last: 40_001 });
    folder.close();
    expect(statSync(folder.path).size).toBeLessThan(250_000);
  });

  it('prunes in the background of receipts when many rows are covered', async () => {
    const journal = folder.open();
    journal.append(someRows(60_000));
    journal.receipt(0, 50_000);
    await new Promise((resolve) => setImmediate(resolve));
    copyFileSync(folder.path, `${folder.path}.copy`);
    copyFileSync(`${folder.path}-wal`, `${folder.path}.copy-wal`);
    expect(folder.open({ path: `${folder.path}.copy` }).streams[0]?.receipted).toBe(50_000);
  });

  it('refuses to append beyond its cap until receipts come', () => {
    const journal = folder.open({ capBytes: 2_000 });
    let refused: string | undefined;
    let accepted = 0;
    while (accepted < 10_000 && refused === undefined) {
      refused = codeOf(() => journal.append(someRows(100)));
      if (refused === undefined) accepted += 100;
    }
    expect(refused).toBe('JOURNAL_FULL');
    expect(journal.accepted()).toBe(accepted);
    expect(journal.backlog().bytes).toBeGreaterThanOrEqual(2_000);
    journal.receipt(0, accepted);
    expect(codeOf(() => journal.append(someRows(1)))).toBeUndefined();
  });

  it('keeps an idempotency key with its readings or not at all', () => {
    const journal = folder.open();
    const key = { id: 'k', digest: 'd', result: 'r' };
    expect(codeOf(() => journal.append([aReading('a', 0, Number.NaN)], key))).toBe(
      'JOURNAL_READING',
    );
    expect(journal.findKey('k')).toBeUndefined();
    journal.append(someRows(1), key);
    expect(codeOf(() => journal.append(someRows(1), key))).toBe('JOURNAL_KEY_EXISTS');
    expect(journal.accepted()).toBe(1);
  });

  it('makes the result of a key from the positions of its own readings', () => {
    const journal = folder.open();
    const result = (positions: readonly { seq: number }[]): string =>
      positions.map(({ seq }) => seq).join();
    journal.appendAll([
      { readings: someRows(2) },
      { readings: someRows(2), key: { id: 'k', digest: 'd', result } },
    ]);
    expect(journal.findKey('k')?.result).toBe('3,4');
  });

  it('bounds idempotency keys by count and by age, oldest first', () => {
    let now = 0;
    const journal = folder.open({ keyCountMax: 3, keyAgeMsMax: 100, wallMs: () => now });
    const add = (id: string): unknown =>
      journal.append(someRows(1), { id, digest: 'd', result: 'r' });
    const known = (): string[] => ['a', 'b', 'c', 'd', 'e'].filter((id) => journal.findKey(id));
    for (const id of ['a', 'b', 'c', 'd']) add(id);
    journal.prune();
    expect(known()).toEqual(['b', 'c', 'd']);
    now = 100;
    add('e');
    journal.prune();
    expect(known()).toEqual(['e']);
  });

  it('lets keys age while it runs, also when the clock is set from 1970 to now', () => {
    let wall = 0;
    let monotonic = 1_000;
    const clocks = { wallMs: () => wall, monotonicMs: () => monotonic, keyAgeMsMax: 100 };
    const add = (to: ReturnType<typeof folder.open>, id: string): unknown =>
      to.append(someRows(1), { id, digest: 'd', result: 'r' });
    const journal = folder.open({ ...clocks });
    add(journal, 'a');
    wall = T0;
    add(journal, 'b');
    journal.prune();
    expect(journal.findKey('a')).toBeDefined();
    folder.close();
    const again = folder.open({ ...clocks });
    again.prune();
    expect(again.findKey('a')).toBeDefined();
    monotonic += 100;
    add(again, 'c');
    again.prune();
    expect(['a', 'b', 'c'].filter((id) => again.findKey(id))).toEqual(['c']);
  });

  it('reports damaged rows with stream and range, gives those before, and stays at that', () => {
    const journal = folder.open();
    for (let commit = 0; commit < 3; commit += 1) journal.append(someRows(10, 'a', commit * 10));
    folder.inDatabase((db) =>
      db.exec('UPDATE chunk_0 SET body = zeroblob(length(body)) WHERE first = 11'),
    );
    const again = folder.open();
    expect(again.readBatch(0, everything)).toMatchObject({ first: 1, last: 10 });
    const damaged = {
      code: 'JOURNAL_DAMAGED',
      stream: 'ingest-0',
      range: { first: 11, last: 20 },
      reason: 'a chunk is not what was written',
    };
    expect(errorOf(() => again.readBatch(0, { ...everything, after: 10 }))).toMatchObject(damaged);
    again.close();
    const third = folder.open();
    expect(third.salvage).toBeUndefined();
    expect(errorOf(() => third.readBatch(0, { ...everything, after: 10 }))).toMatchObject(damaged);
    expect(third.readBatch(0, { ...everything, after: 20 })?.assets[0]?.t[0]).toBe(T0 + 20);
    third.receipt(0, 30, 10);
    expect(third.streams[0]).toMatchObject({ appended: 30, receipted: 30, lost: 10 });
    expect(third.accepted()).toBe(30);
  });

  it('salvages when rows are missing, and makes them a gap', () => {
    const journal = folder.open();
    for (let commit = 0; commit < 3; commit += 1) journal.append(someRows(10, 'a', commit * 10));
    folder.inDatabase((db) => db.exec('DELETE FROM chunk_0 WHERE first = 11'));
    const again = folder.open();
    expect(again.readBatch(0, everything)).toMatchObject({ last: 10 });
    const error = errorOf(() => again.readBatch(0, { ...everything, after: 10 }));
    expect(error).toMatchObject({ code: 'JOURNAL_DAMAGED', range: undefined });
    again.close();
    const third = folder.open();
    // What was deleted is still in its page: SQLite only forgets where.
    expect(third.salvage).toMatchObject({ saved: 30, gaps: [] });
    expect(third.readBatch(0, everything)).toMatchObject({ first: 1, last: 30 });
  });

  it('is refused to a second one while it is open, and free again after', () => {
    const journal = folder.open();
    expect(codeOf(() => folder.open())).toBe('JOURNAL_LOCKED');
    journal.close();
    expect(codeOf(() => folder.open())).toBeUndefined();
  });

  it('refuses a newer schema, a foreign database, and another number of partitions', () => {
    folder.open().close();
    expect(codeOf(() => folder.open({ partitions: 2 }))).toBe('JOURNAL_OPTIONS');
    folder.inDatabase((db) => db.exec('PRAGMA user_version = 2'));
    // A newer version keeps a mark of its own kind, or none.
    rmSync(`${folder.path}-mark`);
    expect(() => folder.open()).toThrow('has schema 2, and this version knows 1');
    folder.use('foreign.db');
    folder.inDatabase((db) => db.exec('CREATE TABLE recipes (name TEXT)'));
    expect(codeOf(() => folder.open())).toBe('JOURNAL_SCHEMA');
  });
});
