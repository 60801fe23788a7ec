import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { chunkReported, mergePatch, refuseReported } from './reported.ts';

const name = fc.stringMatching(/^[a-z]{1,6}$/);
const scalar = fc.oneof(fc.boolean(), fc.integer(), fc.stringMatching(/^[a-zä☂]{0,12}$/));
const { patch } = fc.letrec<{ patch: Record<string, unknown>; value: unknown }>((tie) => ({
  patch: fc.dictionary(name, tie('value'), { maxKeys: 8 }),
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 5 },
    scalar,
    fc.constant(null),
    fc.array(scalar, { maxLength: 4 }),
    tie('patch'),
  ),
}));
const BYTES = 200;
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe('reported patches, whatever they hold', () => {
  it('are the same to the hub in chunks as in one piece', () => {
    fc.assert(
      fc.property(patch, patch, (before, change) => {
        const chunks = chunkReported(change, BYTES);
        for (const chunk of chunks) expect(bytesOf(chunk)).toBeLessThanOrEqual(BYTES);
        const base = mergePatch({}, before);
        const inChunks = chunks.reduce((document, chunk) => mergePatch(document, chunk), base);
        expect(inChunks).toEqual(mergePatch(base, change));
      }),
      { numRuns: 500 },
    );
  });

  it('leave no null behind, and are allowed', () => {
    fc.assert(
      fc.property(patch, patch, (before, change) => {
        const merged = mergePatch(mergePatch({}, before), change);
        // Not in quotes: a name or a text may well be "null".
        expect(JSON.stringify(merged)).not.toMatch(/[:,[]null/);
        expect(refuseReported(merged)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});
