import { ReadingsMessage } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import { aReading, codeOf, JournalFolder, someRows, T0 } from './testing/journal-folder.ts';

const everything = { after: 0, bytesMax: 1e9, lookback: 0 };

describe('Journal', () => {
  const folder = new JournalFolder();

  it('gives back what was appended, in order, as a valid readings message', () => {
    const journal = folder.open();
    const positions = journal.append([
      aReading('a', 0, 1, 2),
      aReading('b', 1, 3),
      aReading('a', 2, null, 4),
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
    const message = { v: 1, kind: 'readings', stream, epoch, base: 0, lookback: 0, ...batch };
    expect(ReadingsMessage.safeParse(message).error).toBeUndefined();
  });

  it('keeps all rows of an asset in one stream, chosen by crc32', () => {
    const journal = folder.open({ partitions: 4 });
    const assets = Array.from({ length: 20 }, (_, index) => `pump-${index}`);
    const positions = journal.append(assets.map((asset) => aReading(asset, 0, 1)));
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
    const first = folder.open();
    first.append(someRows(3), { id: 'k', digest: 'd', result: 'r' });
    first.setLookback(7);
    first.receipt(0, 2);
    first.close();
    const second = folder.open();
    expect(second.streams[0]).toMatchObject({ epoch: 'epoch-0', appended: 3, receipted: 2 });
    expect(second.lookback).toBe(7);
    expect(second.findKey('k')).toEqual({ digest: 'd', result: 'r' });
    expect(second.append(someRows(1))[0]?.seq).toBe(4);
    expect(second.accepted()).toBe(4);
  });

  it('goes on with its numbers when everything was receipted and pruned', () => {
    const first = folder.open();
    first.append(someRows(3));
    first.receipt(0, 3);
    first.prune();
    first.close();
    const second = folder.open();
    expect(second.readBatch(0, { ...everything, after: 3 })).toBeUndefined();
    expect(second.append(someRows(1))[0]?.seq).toBe(4);
    expect(second.readBatch(0, { ...everything, after: 3 })).toMatchObject({ first: 4, last: 4 });
  });

  it('cuts batches so that the message fits and is well filled', () => {
    const journal = folder.open();
    for (let commit = 0; commit < 5; commit += 1) {
      journal.append(
        someRows(5_000, 'a', commit * 5_000).flatMap((row) => [row, { ...row, asset: 'b' }]),
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
      const message = { v: 1, kind: 'readings', stream, epoch, base: 0, lookback: 0, ...batch };
      const bytes = Buffer.byteLength(JSON.stringify(message));
      expect(bytes).toBeLessThanOrEqual(bytesMax);
      if (after < 50_000) expect(bytes).toBeGreaterThan(0.85 * bytesMax);
    }
    expect(after).toBe(50_000);
    expect(batches).toBeGreaterThan(20);
  });

  it('gives one row even if it is larger than the limit, so that a stream never stands still', () => {
    const journal = folder.open();
    journal.append(someRows(2));
    expect(journal.readBatch(0, { after: 0, bytesMax: 10, lookback: 0 })).toMatchObject({
      first: 1,
      last: 1,
    });
  });

  it('merges single posts into one batch and ends it at rowsMax', () => {
    const journal = folder.open();
    for (let index = 0; index < 50; index += 1) journal.append(someRows(1, 'a', index));
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
    const journal = folder.open();
    for (let index = 0; index < 100; index += 1) journal.append(someRows(1, 'a', index));
    const { stream, epoch } = journal.streams[0]!;
    const batch = journal.readBatch(0, { after: 0, bytesMax: 1_500, lookback: 0 })!;
    const message = { v: 1, kind: 'readings', stream, epoch, base: 0, lookback: 0, ...batch };
    expect(JSON.stringify(message).length).toBeLessThanOrEqual(1_500);
    expect(JSON.stringify(message).length).toBeGreaterThan(1_350);
  });

  it('adds earlier rows of the same asset and signals, also after pruning and a restart', () => {
    const journal = folder.open({ lookbackSpan: 10 });
    journal.setLookback(3);
    journal.append([...someRows(4), ...someRows(1, 'b'), aReading('a', 9, 7)]);
    journal.append([...someRows(1, 'a', 4), ...someRows(1, 'b', 1)]);
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
    expect(folder.open({ lookbackSpan: 10 }).readBatch(0, options)).toEqual(before);
  });

  it('adds more earlier rows from the next batch on when more are demanded', () => {
    const journal = folder.open();
    journal.setLookback(1);
    journal.append(someRows(10));
    const read = (lookback: number, after: number): number | undefined =>
      journal.readBatch(0, { after, bytesMax: 1e9, lookback, rowsMax: 5 })?.assets[0]?.lookback?.t
        .length;
    expect(read(1, 0)).toBeUndefined();
    journal.setLookback(3);
    expect(read(3, 5)).toBe(3);
    expect(read(1, 5)).toBe(1);
  });

  it('looks back over the span and no further', () => {
    const journal = folder.open({ lookbackSpan: 4 });
    journal.setLookback(3);
    journal.append([...someRows(2), ...someRows(3, 'b'), ...someRows(1, 'a', 2)]);
    const [a] = journal.readBatch(0, { after: 5, bytesMax: 1e9, lookback: 3 })!.assets;
    expect(a?.lookback?.t).toEqual([T0 + 1]);
  });

  it('gives a first row as much of its lookback as fits', () => {
    const journal = folder.open();
    journal.setLookback(100);
    journal.append(someRows(101));
    const batch = journal.readBatch(0, { after: 100, bytesMax: 1_000, lookback: 100 })!;
    expect(JSON.stringify(batch).length).toBeLessThanOrEqual(1_000);
    const t = batch.assets[0]!.lookback!.t;
    expect(t.length).toBeGreaterThan(5);
    expect(t.at(-1)).toBe(T0 + 99);
  });

  it('stores nothing of an append with one bad reading, wherever it stands', () => {
    const journal = folder.open({ partitions: 4 });
    const good = someRows(4).map((row, index) => ({ ...row, asset: `pump-${index}` }));
    for (const bad of [
      aReading('x', 0, Number.POSITIVE_INFINITY),
      aReading('x', 0.5, 1),
      { ...aReading('x', 0, 1), signals: [] },
      { ...aReading('x', 0, 1), signals: ['a', 'b'] },
    ]) {
      expect(codeOf(() => journal.append([...good, bad]))).toBe('JOURNAL_READING');
    }
    expect(journal.accepted()).toBe(0);
    expect(journal.append(good).every(({ seq }) => seq >= 1)).toBe(true);
    expect(journal.accepted()).toBe(4);
  });

  it('gives what has no receipt new numbers from 1 in a new epoch', () => {
    const journal = folder.open();
    journal.append(someRows(5));
    journal.receipt(0, 2);
    expect(journal.startEpoch(0)).toBe('epoch-1');
    expect(journal.streams[0]).toMatchObject({ epoch: 'epoch-1', appended: 3, receipted: 0 });
    expect(journal.readBatch(0, everything)).toMatchObject({
      first: 1,
      last: 3,
      assets: [{ seq: [1, 2, 3], t: [T0 + 2, T0 + 3, T0 + 4] }],
    });
    expect(journal.accepted()).toBe(5);
    journal.close();
    const again = folder.open();
    expect(again.streams[0]).toMatchObject({ epoch: 'epoch-1', appended: 3, receipted: 0 });
    expect(again.append(someRows(1))[0]?.seq).toBe(4);
  });

  it('refuses to read before its receipt, beyond its end, with more lookback than it keeps, or closed', () => {
    const journal = folder.open();
    journal.append(someRows(3));
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
    expect(codeOf(() => journal.append(someRows(1)))).toBe('JOURNAL_CLOSED');
  });
});
