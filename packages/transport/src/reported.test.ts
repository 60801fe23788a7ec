import { describe, expect, it } from '@jest/globals';
import { chunkReported, mergePatch, refuseReported } from './reported.ts';

describe('rules for reported properties', () => {
  const nested = (levels: number): Record<string, unknown> =>
    levels === 0 ? {} : { a: nested(levels - 1) };

  it.each([
    ['null deletes at the top and inside objects', { a: null, b: { c: null } }],
    ['arrays, nested too', { a: [1, [2, 'x'], { b: true }] }],
    ['ten levels', nested(10)],
    ['a name of 1024 bytes', { ['ä'.repeat(512)]: 1 }],
    ['a text of 4096 bytes', { a: 'ä'.repeat(2048) }],
    ['the largest whole number', { a: 2 ** 52 - 1, b: -(2 ** 52 - 1) }],
    ['fractions of any size', { a: 1e300, b: -0.1 }],
  ])('allows %s', (_name, patch) => {
    expect(refuseReported(patch)).toBeUndefined();
  });

  it.each([
    ['eleven levels', nested(11), 'deeper than 10'],
    ['null in an array', { a: { b: [1, null] } }, 'a.b[1] is null inside an array'],
    ['null in an object in an array', { a: [{ b: null }] }, 'a[0].b is null inside an array'],
    ['a dot in a name', { x: { 'a.b': 1 } }, 'x.a.b has . $ #'],
    ['a dollar in a name', { $a: 1 }, '. $ #'],
    ['a space in a name', { 'a b': 1 }, 'a space'],
    ['a control character in a name', { 'a\u0001': 1 }, 'control character'],
    ['a name of 1025 bytes', { ['a'.repeat(1025)]: 1 }, 'more than 1024 bytes'],
    ['a text of 4097 bytes', { a: 'a'.repeat(4097) }, 'more than 4096 bytes'],
    ['2^52', { a: 2 ** 52 }, 'beyond'],
    ['not a number', { a: Number.NaN }, 'JSON cannot hold'],
  ])('refuses %s and says where', (_name, patch, sentence) => {
    expect(refuseReported(patch)).toContain(sentence);
  });
});

describe('chunks of a reported patch', () => {
  it('leaves a small patch whole', () => {
    const patch = { a: 1, b: { c: 2 } };
    expect(chunkReported(patch, 1000)).toEqual([patch]);
  });

  it('splits along properties, and merged again the chunks are the patch', () => {
    const patch = {
      streams: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`s${i}`, 'x'.repeat(40)])),
      n: 1,
      list: [1, 2, 3],
      gone: null,
    };
    const chunks = chunkReported(patch, 400);
    expect(chunks.length).toBeGreaterThan(4);
    for (const chunk of chunks) expect(JSON.stringify(chunk).length).toBeLessThanOrEqual(400);
    const { gone: _, ...rest } = patch;
    expect(chunks.reduce((all, chunk) => mergePatch(all, chunk), { gone: 1 })).toEqual(rest);
  });

  it('refuses one value that is too large to split', () => {
    expect(() => chunkReported({ a: 'x'.repeat(500) }, 400)).toThrow('a alone has');
  });
});

describe('merging of patches', () => {
  it('merges objects, replaces arrays and scalars, deletes with null', () => {
    const target = { a: { x: 1, y: 2 }, list: [1, 2, 3], s: 's', gone: true };
    expect(mergePatch(target, { a: { y: null, z: 3 }, list: [9], gone: null })).toEqual({
      a: { x: 1, z: 3 },
      list: [9],
      s: 's',
    });
  });
});
