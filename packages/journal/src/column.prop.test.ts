import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ColumnReader, ColumnWriter } from './column.ts';

/**
 * Goal: a column gives back exactly what went in, and never says that a number is shorter than its JSON. Method: any
 * doubles, decimals as sensors give them, and mixtures; compared as JSON, which is what leaves the journal.
 */
const decimal = fc
  .tuple(fc.integer({ min: -10_000_000, max: 10_000_000 }), fc.integer({ min: 0, max: 9 }))
  .map(([whole, scale]) => Number(`${whole}e-${scale}`));
const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
const anyDouble = fc.double({ noNaN: true, noDefaultInfinity: true });
const column = fc.oneof(
  fc.array(fc.option(decimal), { maxLength: 40 }),
  fc.array(fc.option(fc.oneof(decimal, anyDouble, float32, fc.maxSafeInteger())), {
    maxLength: 40,
  }),
);

function throughBytes(values: readonly (number | null)[]): {
  back: (number | null)[];
  chars: number[];
} {
  const writer = new ColumnWriter();
  writer.start(values.length);
  const chars = values.map((value) => writer.push(value));
  const target = new ArrayBuffer(values.length * 8 + 24);
  const end = writer.write(target, 9);
  const reader = new ColumnReader(target, 9, values.length, writer.descriptor);
  expect(reader.end).toBe(end);
  const back: (number | null)[] = [];
  reader.values(0, values.length, back);
  return { back, chars };
}

describe('ColumnWriter and ColumnReader', () => {
  it('give back every value', () => {
    fc.assert(
      fc.property(column, (values) => {
        expect(JSON.stringify(throughBytes(values).back)).toBe(JSON.stringify(values));
      }),
      { numRuns: 2_000 },
    );
  });

  it('never say that a number is shorter than its JSON', () => {
    fc.assert(
      fc.property(column, (values) => {
        const { chars } = throughBytes(values);
        values.forEach((value, index) => {
          expect(chars[index]).toBeGreaterThanOrEqual(JSON.stringify(value).length);
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it('are right at the edges of the integers that they store', () => {
    for (const edge of [
      0,
      32_766,
      32_767,
      32_768,
      2_147_483_646,
      2_147_483_647,
      2_147_483_648,
      2 ** 53,
    ]) {
      for (const scale of [0, 1, 4]) {
        const value = Number(`${edge}e-${scale}`);
        expect(throughBytes([value, -value, null]).back).toEqual([
          value,
          value === 0 ? 0 : -value,
          null,
        ]);
      }
    }
  });

  it('store decimals in a quarter of the bytes', () => {
    const writer = new ColumnWriter();
    const values = Array.from({ length: 100 }, (_, index) => index / 100);
    writer.start(values.length);
    for (const value of values) writer.push(value);
    expect(writer.write(new ArrayBuffer(1_000), 0)).toBe(200);
  });

  it('refuse what is neither finite nor null', () => {
    const writer = new ColumnWriter();
    writer.start(3);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(writer.push(value)).toBeNaN();
    }
  });
});
