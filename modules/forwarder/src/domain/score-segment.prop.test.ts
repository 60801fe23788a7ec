import type { Level } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packSegment, unpackSegment } from './score-segment.ts';

const row = fc.record({
  seq: fc.integer({ min: 1, max: 2 ** 50 }),
  t: fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2200, 0, 1) }),
  score: fc.double({ noNaN: true }),
  level: fc.constantFrom<Level>(0, 1, 2),
});

describe('score segment', () => {
  it('gives back exactly what was packed', () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 50 }), fc.boolean(), (rows, single) => {
        const columns = {
          seq: rows.map(({ seq }) => seq),
          t: rows.map(({ t }) => t),
          score: rows.map(({ score }) => (single ? Math.fround(score) : score)),
          level: rows.map(({ level }) => level),
        };
        // At an odd offset of a larger buffer, as a database may hand it out.
        const packed = packSegment(columns);
        const moved = new Uint8Array(packed.length + 3).subarray(3);
        moved.set(packed);
        expect(unpackSegment(moved)).toEqual(columns);
      }),
    );
  });

  it('takes less than seven bytes a row for float32 scores at a steady rhythm', () => {
    const rows = Array.from({ length: 600 }, (_, i) => i);
    const packed = packSegment({
      seq: rows.map((i) => 1_000_000 + i * 8),
      t: rows.map((i) => Date.UTC(2026, 10, 23) + i * 1000),
      score: rows.map((i) => Math.fround(i / 600)),
      level: rows.map(() => 0),
    });
    expect(packed.length / rows.length).toBeLessThan(7);
  });
});
