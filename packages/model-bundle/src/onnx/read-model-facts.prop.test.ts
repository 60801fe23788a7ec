/**
 * Goal: whatever is in a model file, the walk ends, with facts or with a BundleError. Method: real models with bytes
 * changed, cut out and put in at random places, and messages made up at random in the shape of a model.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isBundleError, readModelFacts } from '../index.ts';
import { field, message } from '../testing/onnx-writer.ts';

const FIXTURES = join(process.cwd(), 'test/inference/fixtures');
const MODELS = [
  ...['sum', 'positions', 'lookup', 'autoencoder', 'external'].map((name) =>
    join(FIXTURES, `${name}.onnx`),
  ),
  join(process.cwd(), 'scenarios/pump-loop/bundle/model.onnx'),
].map((file) => readFileSync(file));

/** So many files are tried; HOLDFAST_FUZZ_RUNS asks for more. */
const RUNS = Number(process.env.HOLDFAST_FUZZ_RUNS ?? 1_500);
const name = join(temporaryFolder('fuzz'), 'model.onnx');

/** Facts or a BundleError, within the steps that a file of this size can take. */
async function walkEnds(content: Buffer): Promise<'facts' | 'refused'> {
  writeFileSync(name, content);
  const file = await open(name);
  try {
    await readModelFacts(file);
    return 'facts';
  } catch (error) {
    if (isBundleError(error)) return 'refused';
    throw error;
  } finally {
    await file.close();
  }
}

/** Places as a share of the file, so that they shrink towards its front. */
const place = fc.nat({ max: 1_000_000 });
const change = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), at: place, to: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constant('flip' as const), at: place, bit: fc.nat({ max: 7 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('remove' as const), at: place, count: fc.nat({ max: 200 }) }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: place,
    bytes: fc.uint8Array({ maxLength: 12 }),
  }),
);

type Change = typeof change extends fc.Arbitrary<infer Value> ? Value : never;

function changed(model: Buffer, changes: readonly Change[]): Buffer {
  let bytes = Buffer.from(model);
  for (const each of changes) {
    const at = Math.floor((each.at / 1_000_001) * bytes.length);
    if (each.kind === 'set') bytes[at] = each.to;
    else if (each.kind === 'flip') bytes[at] = (bytes[at] ?? 0) ^ (1 << each.bit);
    else if (each.kind === 'cut') bytes = bytes.subarray(0, at);
    else {
      const rest = bytes.subarray(at + (each.kind === 'remove' ? each.count : 0));
      const between = each.kind === 'insert' ? each.bytes : new Uint8Array();
      bytes = Buffer.concat([bytes.subarray(0, at), between, rest]);
    }
  }
  return bytes;
}

/** Messages in messages with the field numbers that mean something, and any others. */
const { madeUp } = fc.letrec<{ value: number | Buffer; madeUp: Buffer }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.nat(),
    fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    tie('madeUp'),
  ),
  madeUp: fc
    .array(fc.tuple(fc.integer({ min: 1, max: 26 }), tie('value')), { maxLength: 8 })
    .map((fields) => message(...fields.map(([number, value]) => field(number, value)))),
}));

describe('the walk ends with facts or a BundleError', () => {
  it('for real models with random changes', async () => {
    const seen = { facts: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...MODELS),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        async (model, changes) => {
          seen[await walkEnds(changed(model, changes))] += 1;
        },
      ),
      { numRuns: RUNS },
    );
    // Both happen, so the changes are neither too coarse nor too fine to test anything.
    expect(Math.min(seen.facts, seen.refused)).toBeGreaterThan(RUNS / 20);
  });

  it('for every front part of a model', async () => {
    const model = MODELS[0] as Buffer;
    for (let length = 0; length < model.length; length += 1) {
      // The graph comes before the operator sets: cut between the two, the file is a model of its own.
      const verdict = await walkEnds(model.subarray(0, length));
      if (length < model.length - 6) expect([length, verdict]).toEqual([length, 'refused']);
    }
    expect(await walkEnds(model)).toBe('facts');
  });

  it('for made-up messages', async () => {
    await fc.assert(
      fc.asyncProperty(madeUp, async (content) => {
        await walkEnds(content);
      }),
      { numRuns: RUNS },
    );
  });
});
