import { describe, expect, it } from '@jest/globals';
import { readChunk } from './chunk.ts';
import { ChunkWriter } from './chunk-writer.ts';
import type { JournalReading } from './port.ts';
import { appendRows, noRows, type RowColumns } from './row-columns.ts';

const readings: JournalReading[] = [
  { asset: 'a', signals: ['x', 'y'], t: 1_000, values: [1, 2.5] },
  { asset: 'b', signals: ['x', 'y'], t: 1_001, values: [null, 3] },
  { asset: 'a', signals: ['x'], t: 1_002, values: [1e300] },
  { asset: 'a', signals: ['x', 'y'], t: 900, values: [-4, null] },
];
const place = { partition: 2, first: 11, last: 14 };
const write = (): Buffer => Buffer.from(new ChunkWriter().write(readings, place, 77));

describe('a chunk', () => {
  it('gives back its rows by asset and signals', () => {
    const chunk = readChunk(write(), place)!;
    const found: Record<string, RowColumns> = {};
    appendRows(chunk, { start: 0, end: 4, offset: 10 }, (group) => {
      const rows = noRows(group.columns.length);
      found[`${group.asset}:${group.signals.join()}`] = rows;
      return rows;
    });
    expect(chunk.acceptedMs).toBe(77);
    expect(found).toMatchObject({
      'a:x,y': {
        seq: [1, 4],
        t: [1_000, 900],
        values: [
          [1, -4],
          [2.5, null],
        ],
      },
      'b:x,y': { seq: [2], t: [1_001], values: [[null], [3]] },
      'a:x': { seq: [3], t: [1_002], values: [[1e300]] },
    });
  });

  it('is not read when any one bit of it has changed', () => {
    const body = write();
    for (let bit = 0; bit < body.length * 8; bit += 1) {
      const damaged = Buffer.from(body);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(readChunk(damaged, place)).toBeUndefined();
    }
    expect(readChunk(body.subarray(0, body.length - 1), place)).toBeUndefined();
    expect(readChunk(Buffer.alloc(0), place)).toBeUndefined();
  });

  it('is not read in the place of another', () => {
    expect(readChunk(write(), { ...place, partition: 1 })).toBeUndefined();
    expect(readChunk(write(), { ...place, first: 12, last: 15 })).toBeUndefined();
  });

  it('is read from memory that is not aligned', () => {
    const body = write();
    const shifted = Buffer.alloc(body.length + 3).subarray(3);
    body.copy(shifted);
    expect(readChunk(shifted, place)?.sizes.length).toBe(4);
  });
});
