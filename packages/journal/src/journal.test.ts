import { copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReadingsMessage } from '@holdfast/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import { Journal } from './journal.ts';
import type { JournalOptions, JournalReading } from './port.ts';

const T0 = Date.UTC(2026, 0, 1);
const reading = (asset: string, t: number, ...values: (number | null)[]): JournalReading => ({
  asset,
  signals: values.map((_, index) => `s${index}`),
  t: T0 + t,
  values,
});
const rows = (count: number, asset = 'a', from = 0): JournalReading[] =>
  Array.from({ length: count }, (_, index) =>
    reading(asset, from + index, (from + index) / 10, null),
  );
const everything = { after: 0, bytesMax: 1e9, lookback: 0 };
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
};

describe('Journal', () => {
  let folder: string;
  let path: string;
  let epochs: number;
  let opened: Journal[];
  const open = (options: Partial<JournalOptions> = {}): Journal => {
    const newEpoch = (): string => `epoch-${epochs++}`;
    const base = { path, partitions: 1, streamPrefix: 'ingest', newEpoch, wallMs: () => 1_000 };
    const journal = Journal.open({ ...base, ...options });
    opened.push(journal);
    return journal;
  };
  const damage = (sql: string): void => {
    for (const journal of opened) journal.close();
    const db = new Database(path);
    db.exec(sql);
    db.close();
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
    path = join(folder, 'journal.db');
    epochs = 0;
    opened = [];
  });
  afterEach(() => {
    for (const journal of opened) journal.close();
    rmSync(folder, { recursive: true });
  });

  it('gives back what was appended, in order, as a valid readings message', () => {
    const journal = open();
    const positions = journal.append([
      reading('a', 0, 1, 2),
      reading('b', 1, 3),
      reading('a', 2, null, 4),
    ]);
    expect(positions.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    const batch = journal.readBatch(0, everything)!;
    expect(batch).toEqual({
      first: 1,
      last: 3,
      acceptedMs: 1_000,
      assets: [
        {
          asset: 'a',
          signals: ['s0', 's1'],
          seq: [1, 3],
          t: [T0, T0 + 2],
          values: [
            [1, null],
            [2, 4],
          ],
        },
        { asset: 'b', signals: ['s0'], seq: [2], t: [T0 + 1], values: [[3]] },
      ],
    });
    const { stream, epoch } = journal.streams[0]!;
    const message = { v: 1, kind: 'readings', stream, epoch, lookback: 0, ...batch };
    expect(ReadingsMessage.safeParse(message).error).toBeUndefined();
  });

  it('keeps all rows of an asset in one stream, chosen by crc32', () => {
    const journal = open({ partitions: 4 });
    const assets = Array.from({ length: 20 }, (_, index) => `pump-${index}`);
    const positions = journal.append(assets.map((asset) => reading(asset, 0, 1)));
    positions.forEach(({ partition }, index) => {
      expect(partition).toBe(journal.partitionOf(assets[index]!));
    });
    // The check value of CRC-32, ISO 3309.
    expect(journal.partitionOf('123456789')).toBe(0xcbf43926 % 4);
    expect(journal.streams.map(({ stream }) => stream)).toEqual([
      'ingest-0',
      'ingest-1',
      'ingest-2',
      'ingest-3',
    ]);
    expect(journal.streams.reduce((sum, { appended }) => sum + appended, 0)).toBe(20);
  });

  it('goes on with its numbers, epoch, lookback and keys after a restart', () => {
    const first = open();
    first.append(rows(3), { id: 'k', digest: 'd', result: 'r' });
    first.setLookback(7);
    first.receipt(0, 2);
    first.close();
    const second = open();
    expect(second.streams[0]).toMatchObject({ epoch: 'epoch-0', appended: 3, receipted: 2 });
    expect(second.lookback).toBe(7);
    expect(second.findKey('k')).toEqual({ digest: 'd', result: 'r' });
    expect(second.append(rows(1))[0]?.seq).toBe(4);
    expect(second.accepted()).toBe(4);
  });

  it('goes on with its numbers when everything was receipted and pruned', () => {
    const first = open();
    first.append(rows(3));
    first.receipt(0, 3);
    first.prune();
    first.close();
    const second = open();
    expect(second.readBatch(0, { ...everything, after: 3 })).toBeUndefined();
    expect(second.append(rows(1))[0]?.seq).toBe(4);
    expect(second.readBatch(0, { ...everything, after: 3 })).toMatchObject({ first: 4, last: 4 });
  });

  it('cuts batches so that the message fits and is well filled', () => {
    const journal = open();
    for (let commit = 0; commit < 5; commit += 1) {
      journal.append(
        rows(5_000, 'a', commit * 5_000).flatMap((row) => [row, { ...row, asset: 'b' }]),
      );
    }
    const { stream, epoch } = journal.streams[0]!;
    const bytesMax = 60_000;
    let after = 0;
    let batches = 0;
    for (;;) {
      const batch = journal.readBatch(0, { after, bytesMax, lookback: 0 });
      if (batch === undefined) break;
      expect(batch.first).toBe(after + 1);
      after = batch.last;
      batches += 1;
      const message = { v: 1, kind: 'readings', stream, epoch, lookback: 0, ...batch };
      const bytes = Buffer.byteLength(JSON.stringify(message));
      expect(bytes).toBeLessThanOrEqual(bytesMax);
      if (after < 50_000) expect(bytes).toBeGreaterThan(0.85 * bytesMax);
    }
    expect(after).toBe(50_000);
    expect(batches).toBeGreaterThan(20);
  });

  it('gives one row even if it is larger than the limit, so that a stream never stands still', () => {
    const journal = open();
    journal.append(rows(2));
    expect(journal.readBatch(0, { after: 0, bytesMax: 10, lookback: 0 })).toMatchObject({
      first: 1,
      last: 1,
    });
  });

  it('merges single posts into one batch and ends it at rowsMax', () => {
    const journal = open();
    for (let index = 0; index < 50; index += 1) journal.append(rows(1, 'a', index));
    expect(journal.readBatch(0, everything)?.assets[0]?.seq.length).toBe(50);
    expect(journal.readBatch(0, { ...everything, rowsMax: 20 })).toMatchObject({
      first: 1,
      last: 20,
    });
    expect(journal.readBatch(0, { ...everything, after: 20, rowsMax: 20 })).toMatchObject({
      first: 21,
      last: 40,
    });
  });

  it('fits single posts of one asset into the message as well', () => {
    const journal = open();
    for (let index = 0; index < 100; index += 1) journal.append(rows(1, 'a', index));
    const { stream, epoch } = journal.streams[0]!;
    const batch = journal.readBatch(0, { after: 0, bytesMax: 1_500, lookback: 0 })!;
    const message = { v: 1, kind: 'readings', stream, epoch, lookback: 0, ...batch };
    expect(JSON.stringify(message).length).toBeLessThanOrEqual(1_500);
    expect(JSON.stringify(message).length).toBeGreaterThan(1_350);
  });

  it('adds earlier rows of the same asset and signals, also after pruning and a restart', () => {
    const journal = open({ lookbackSpan: 10 });
    journal.setLookback(3);
    journal.append([...rows(4), ...rows(1, 'b'), reading('a', 9, 7)]);
    journal.append([...rows(1, 'a', 4), ...rows(1, 'b', 1)]);
    const options = { after: 6, bytesMax: 1e9, lookback: 3 };
    const before = journal.readBatch(0, options)!;
    expect(before.assets.map(({ asset, lookback }) => [asset, lookback?.t])).toEqual([
      ['a', [T0 + 1, T0 + 2, T0 + 3]],
      ['b', [T0]],
    ]);
    journal.receipt(0, 6);
    journal.prune();
    expect(journal.readBatch(0, options)).toEqual(before);
    journal.close();
    expect(open({ lookbackSpan: 10 }).readBatch(0, options)).toEqual(before);
  });

  it('adds more earlier rows from the next batch on when more are demanded', () => {
    const journal = open();
    journal.setLookback(1);
    journal.append(rows(10));
    const read = (lookback: number, after: number): number | undefined =>
      journal.readBatch(0, { after, bytesMax: 1e9, lookback, rowsMax: 5 })?.assets[0]?.lookback?.t
        .length;
    expect(read(1, 0)).toBeUndefined();
    journal.setLookback(3);
    expect(read(3, 5)).toBe(3);
    expect(read(1, 5)).toBe(1);
  });

  it('looks back over the span and no further', () => {
    const journal = open({ lookbackSpan: 4 });
    journal.setLookback(3);
    journal.append([...rows(2), ...rows(3, 'b'), ...rows(1, 'a', 2)]);
    const [a] = journal.readBatch(0, { after: 5, bytesMax: 1e9, lookback: 3 })!.assets;
    expect(a?.lookback?.t).toEqual([T0 + 1]);
  });

  it('gives a first row as much of its lookback as fits', () => {
    const journal = open();
    journal.setLookback(100);
    journal.append(rows(101));
    const batch = journal.readBatch(0, { after: 100, bytesMax: 1_000, lookback: 100 })!;
    expect(JSON.stringify(batch).length).toBeLessThanOrEqual(1_000);
    const t = batch.assets[0]!.lookback!.t;
    expect(t.length).toBeGreaterThan(5);
    expect(t.at(-1)).toBe(T0 + 99);
  });

  it('forgets what is receipted and uses the space again', () => {
    const bytesAfter = (rounds: number): number => {
      path = join(folder, `${rounds}.db`);
      const journal = open();
      for (let round = 1; round <= rounds; round += 1) {
        for (let commit = 0; commit < 520; commit += 1) journal.append(rows(5, 'a', commit));
        journal.receipt(0, round * 2_600);
        journal.prune();
        expect(journal.backlog()).toEqual({ readings: 0, bytes: 0 });
      }
      journal.close();
      const db = new Database(path);
      expect(db.prepare('SELECT count(*) FROM chunk_0').pluck().get()).toBe(0);
      db.close();
      return statSync(path).size;
    };
    expect(bytesAfter(3)).toBeLessThan(bytesAfter(1) * 1.3);
  });

  it('gives the disk back what an outage has filled', () => {
    const journal = open({ freeBytesMax: 100_000 });
    for (let commit = 0; commit < 10; commit += 1) {
      journal.append(
        rows(4_000).map((row) => ({ ...row, values: [Math.sin(row.t), Math.cos(row.t)] })),
      );
    }
    journal.append(rows(1));
    journal.receipt(0, 40_000);
    journal.prune();
    expect(journal.readBatch(0, { ...everything, after: 40_000 })).toMatchObject({ last: 40_001 });
    damage('SELECT 1');
    expect(statSync(path).size).toBeLessThan(250_000);
  });

  it('prunes in the background of receipts when many rows are covered', async () => {
    const journal = open();
    journal.append(rows(60_000));
    journal.receipt(0, 50_000);
    await new Promise((resolve) => setImmediate(resolve));
    copyFileSync(path, `${path}.copy`);
    copyFileSync(`${path}-wal`, `${path}.copy-wal`);
    expect(open({ path: `${path}.copy` }).streams[0]?.receipted).toBe(50_000);
  });

  it('refuses to append beyond its cap until receipts come', () => {
    const journal = open({ capBytes: 2_000 });
    let refused: string | undefined;
    let accepted = 0;
    while (accepted < 10_000 && refused === undefined) {
      refused = codeOf(() => journal.append(rows(100)));
      if (refused === undefined) accepted += 100;
    }
    expect(refused).toBe('JOURNAL_FULL');
    expect(journal.accepted()).toBe(accepted);
    expect(journal.backlog().bytes).toBeGreaterThanOrEqual(2_000);
    journal.receipt(0, accepted);
    expect(codeOf(() => journal.append(rows(1)))).toBeUndefined();
  });

  it('stores nothing of an append with one bad reading, wherever it stands', () => {
    const journal = open({ partitions: 4 });
    const good = rows(4).map((row, index) => ({ ...row, asset: `pump-${index}` }));
    for (const bad of [
      reading('x', 0, Number.POSITIVE_INFINITY),
      reading('x', 0.5, 1),
      { ...reading('x', 0, 1), signals: [] },
      { ...reading('x', 0, 1), signals: ['a', 'b'] },
    ]) {
      expect(codeOf(() => journal.append([...good, bad]))).toBe('JOURNAL_READING');
    }
    expect(journal.accepted()).toBe(0);
    expect(journal.append(good).every(({ seq }) => seq >= 1)).toBe(true);
    expect(journal.accepted()).toBe(4);
  });

  it('keeps an idempotency key with its readings or not at all', () => {
    const journal = open();
    const key = { id: 'k', digest: 'd', result: 'r' };
    expect(codeOf(() => journal.append([reading('a', 0, Number.NaN)], key))).toBe(
      'JOURNAL_READING',
    );
    expect(journal.findKey('k')).toBeUndefined();
    journal.append(rows(1), key);
    expect(codeOf(() => journal.append(rows(1), key))).toBe('JOURNAL_KEY_EXISTS');
    expect(journal.accepted()).toBe(1);
  });

  it('makes the result of a key from the positions of its own readings', () => {
    const journal = open();
    const result = (positions: readonly { seq: number }[]): string =>
      positions.map(({ seq }) => seq).join();
    journal.appendAll([
      { readings: rows(2) },
      { readings: rows(2), key: { id: 'k', digest: 'd', result } },
    ]);
    expect(journal.findKey('k')?.result).toBe('3,4');
  });

  it('bounds idempotency keys by count and by age, oldest first', () => {
    let now = 0;
    const journal = open({ keyCountMax: 3, keyAgeMsMax: 100, wallMs: () => now });
    const add = (id: string): unknown => journal.append(rows(1), { id, digest: 'd', result: 'r' });
    const known = (): string[] => ['a', 'b', 'c', 'd', 'e'].filter((id) => journal.findKey(id));
    for (const id of ['a', 'b', 'c', 'd']) add(id);
    journal.prune();
    expect(known()).toEqual(['b', 'c', 'd']);
    now = 100;
    add('e');
    journal.prune();
    expect(known()).toEqual(['e']);
  });

  it('gives what has no receipt new numbers from 1 in a new epoch', () => {
    const journal = open();
    journal.append(rows(5));
    journal.receipt(0, 2);
    expect(journal.startEpoch(0)).toEqual({ epoch: 'epoch-1', lost: [] });
    expect(journal.streams[0]).toMatchObject({ epoch: 'epoch-1', appended: 3, receipted: 0 });
    expect(journal.readBatch(0, everything)).toMatchObject({
      first: 1,
      last: 3,
      assets: [{ seq: [1, 2, 3], t: [T0 + 2, T0 + 3, T0 + 4] }],
    });
    expect(journal.accepted()).toBe(5);
    journal.close();
    const again = open();
    expect(again.streams[0]).toMatchObject({ epoch: 'epoch-1', appended: 3, receipted: 0 });
    expect(again.append(rows(1))[0]?.seq).toBe(4);
  });

  it('reports damaged rows with stream and range, gives those before, and goes on behind them in a new epoch', () => {
    const journal = open();
    for (let commit = 0; commit < 3; commit += 1) journal.append(rows(10, 'a', commit * 10));
    damage('UPDATE chunk_0 SET body = zeroblob(length(body)) WHERE first = 11');
    const again = open();
    expect(again.readBatch(0, everything)).toMatchObject({ first: 1, last: 10 });
    let error: unknown;
    try {
      again.readBatch(0, { ...everything, after: 10 });
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({
      code: 'JOURNAL_DAMAGED',
      stream: 'ingest-0',
      range: { first: 11, last: 20 },
    });
    again.receipt(0, 10);
    expect(again.startEpoch(0).lost).toEqual([{ first: 11, last: 20 }]);
    expect(again.streams[0]).toMatchObject({ appended: 10, receipted: 0, lost: 10 });
    expect(again.readBatch(0, everything)?.assets[0]?.t[0]).toBe(T0 + 20);
    expect(again.accepted()).toBe(30);
  });

  it('takes rows that are missing from the file for damage', () => {
    const journal = open();
    for (let commit = 0; commit < 3; commit += 1) journal.append(rows(10, 'a', commit * 10));
    damage('DELETE FROM chunk_0 WHERE first = 11');
    const again = open();
    expect(again.readBatch(0, everything)).toMatchObject({ last: 10 });
    expect(() => again.readBatch(0, { ...everything, after: 10 })).toThrow(
      'ingest-0 is damaged at 11..20',
    );
  });

  it('is refused to a second one while it is open, and free again after', () => {
    const journal = open();
    expect(codeOf(() => open())).toBe('JOURNAL_LOCKED');
    journal.close();
    expect(codeOf(() => open())).toBeUndefined();
  });

  it('refuses a newer schema, a foreign database, a file that is none, and another number of partitions', () => {
    open().close();
    expect(codeOf(() => open({ partitions: 2 }))).toBe('JOURNAL_OPTIONS');
    damage('PRAGMA user_version = 2');
    expect(() => open()).toThrow('has schema 2, and this version knows 1');
    damage('PRAGMA application_id = 1');
    expect(codeOf(() => open())).toBe('JOURNAL_SCHEMA');
    path = join(folder, 'text');
    writeFileSync(
      path,
      'this is not a database, but it is longer than a header of one hundred bytes. '.repeat(9),
    );
    expect(codeOf(() => open())).toBe('JOURNAL_DAMAGED');
  });

  it('refuses to read before its receipt, beyond its end, with more lookback than it keeps, or closed', () => {
    const journal = open();
    journal.append(rows(3));
    journal.receipt(0, 2);
    for (const options of [
      { ...everything, after: 1 },
      { ...everything, after: 4 },
      { ...everything, after: 2, lookback: 1 },
    ]) {
      expect(codeOf(() => journal.readBatch(0, options))).toBe('JOURNAL_RANGE');
    }
    expect(codeOf(() => journal.receipt(0, 4))).toBe('JOURNAL_RANGE');
    journal.close();
    expect(codeOf(() => journal.append(rows(1)))).toBe('JOURNAL_CLOSED');
  });
});
