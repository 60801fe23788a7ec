import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Document, diffPatch, mergePatch, refuseReported, refuseSize } from './twin-rules.ts';

describe('merge', () => {
  it('merges objects, replaces scalars and arrays, deletes with null', () => {
    const before = { a: { b: 1, c: 2 }, d: [1, 2], e: 'x' };
    expect(mergePatch(before, { a: { b: null, f: 3 }, d: [9], e: { g: 1 } })).toEqual({
      a: { c: 2, f: 3 },
      d: [9],
      e: { g: 1 },
    });
    expect(before.a.b).toBe(1);
  });

  it('does not touch prototypes', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__": {"bad": 1}}'));
    expect(({} as { bad?: number }).bad).toBeUndefined();
    expect(Object.keys(merged)).toEqual(['__proto__']);
  });

  it('a difference applied gives the document it was made for', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const { document } = fc.letrec<{ document: Document; value: unknown }>((tie) => ({
      document: fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer({ max: 3 }),
        fc.array(fc.integer({ max: 3 }), { maxLength: 2 }),
        tie('document'),
      ),
    }));
    fc.assert(
      fc.property(document, document, (before, after) => {
        expect(mergePatch(before, diffPatch(before, after))).toEqual(after);
      }),
    );
  });
});

describe('limits of reported properties', () => {
  const nested = (depth: number): Document => (depth === 1 ? { x: 1 } : { x: nested(depth - 1) });
  const wide = (bytes: number): Document => {
    const rest = bytes - Buffer.byteLength(JSON.stringify({ k: [''] })) - 3;
    const full = Math.floor(rest / 4_099);
    const items = Array.from({ length: full }, () => 'x'.repeat(4_096));
    const last = rest - full * 4_099;
    return { k: ['', ...items.slice(0, full), 'x'.repeat(Math.max(0, last))] };
  };

  it.each([
    ['10 levels', nested(10)],
    ['a name of 1024 bytes', { ['n'.repeat(1_024)]: 1 }],
    ['a text of 4096 bytes', { a: 'ü'.repeat(2_048) }],
    ['the largest integer', { a: 2 ** 52 - 1 }],
    ['the smallest integer', { a: -(2 ** 52) }],
    ['arrays in arrays', { a: [[1], [{ b: 1 }]] }],
    ['null that deletes', { a: null, b: { c: null } }],
    ['32 KiB', wide(32_768)],
  ])('takes %s', (_name, patch) => {
    expect(refuseReported(patch)).toBeUndefined();
  });

  it.each([
    ['11 levels', nested(11), /deeper/],
    ['a name of 1025 bytes', { ['n'.repeat(1_025)]: 1 }, /1024 bytes/],
    ['a text of 4097 bytes', { a: 'x'.repeat(4_097) }, /^a: .*4097/],
    ['an integer too large', { a: 2 ** 52 }, /between/],
    ['an integer too small', { a: { b: -(2 ** 52) - 1 } }, /^a\.b: /],
    ['null in an array', { a: [1, null] }, /^a\[1\]: null/],
    ['null in an object in an array', { a: [{ b: null }] }, /^a\[0\]\.b: null/],
    ['a dot in a name', { 'a.b': 1 }, /must not contain/],
    ['a dollar in a name', { $a: 1 }, /must not contain/],
    ['a space in a name', { 'a b': 1 }, /must not contain/],
    ['an empty name', { '': 1 }, /empty/],
    ['an array', [1], /must be a JSON object/],
    ['over 32 KiB', wide(32_769), /32769 bytes/],
  ])('refuses %s', (_name, patch, reason) => {
    expect(refuseReported(patch)).toMatch(reason);
  });

  it('counts names and values of a section as IoT Hub does', () => {
    expect(refuseSize({ a: 'x'.repeat(32_767) })).toBeUndefined();
    expect(refuseSize({ a: 'x'.repeat(32_768) })).toMatch(/32769 bytes/);
    expect(refuseSize({ abcd: Array.from({ length: 4_095 }, () => 1) })).toBeUndefined();
    expect(refuseSize({ abcd: Array.from({ length: 4_096 }, () => 1) })).toMatch(/32772/);
  });
});
