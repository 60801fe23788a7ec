/**
 * Goal: what becomes of a row is a function of it and exactly the `lookbackOf` rows of its asset before it. Method:
 * random manifests (rows, resampling, fill, limits, hop, units) and readings (holes, missing values, values out of range,
 * clocks set back, times twice); outcomes of random cuts into batches, each with its lookback and some twice, against
 * one offline pass; and windows against a second implementation that looks at those rows alone, written from the docs.
 */
import { lookbackOf } from '@holdfast/contracts';
import { START_MS } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aManifest, anAsset } from '../testing/builders.ts';
import { expectedOutcome } from '../testing/expected-window.ts';
import { planAsset, writeWindow } from './window.ts';
import type { Inputs } from './windows.ts';

const value = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -20, max: 40 }) },
  { weight: 4, arbitrary: fc.constant(null) },
  fc.constant(1_000),
);
const step = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom(100, 250, 400, 1_000) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 1_999, 2_000, 2_001) },
  fc.constantFrom(-3_000, -1, 5_001, 60_000),
);
const readings = fc.array(fc.record({ step, a: value, b: value }), { minLength: 1, maxLength: 80 });

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const inputs = fc
  .record({
    rows: fc.integer({ min: 1, max: 6 }),
    periodMs: fc.constantFrom(250, 1_000, 1_500),
    gapMsMax: fc.constantFrom(1_000, 2_000, 5_000),
    fill: fc.constantFrom('none' as const, 'hold' as const, 'linear' as const),
    fillMsMax: optional(fc.constantFrom(250, 1_000, 2_000)),
    hopMs: optional(fc.constantFrom(500, 1_000, 3_000)),
    resample: optional(
      fc.record({
        method: fc.constantFrom('last' as const, 'mean' as const, 'linear' as const),
        sourcePeriodMs: fc.constantFrom(200, 400, 1_000),
      }),
    ),
    scale: optional(fc.constantFrom(0.5, -2)),
  })
  .map(
    ({ scale, ...given }): Inputs =>
      aManifest({
        ...given,
        // Only with means does the question of fill arise, and only that of holding.
        ...(given.resample && given.fill === 'linear' ? { fill: 'hold' } : {}),
        ...(given.resample && given.resample.method !== 'mean' ? { fill: 'none' } : {}),
        signals: [
          { name: 'a', unit: '1', max: 100, scale, offset: scale },
          { name: 'b', unit: '1', max: 500 },
        ],
      }).inputs,
  );

type Readings = { step: number; a: number | null; b: number | null }[];
const NUMBERS = { numRuns: 1_000 };

function timesOf(stream: Readings): number[] {
  let t = START_MS;
  return stream.map(({ step: ms }) => {
    t += ms;
    return t;
  });
}

/** What becomes of the rows `from <= row < to`, with so many rows of lookback, as text. */
function outcomes(stream: Readings, given: Inputs, from: number, to: number, lookback: number) {
  const times = timesOf(stream);
  const start = Math.max(0, from - lookback);
  const table = (first: number, end: number) => ({
    rows: stream.slice(first, end).map(({ a, b }) => [a, b]),
    t: times.slice(first, end),
  });
  const asset = anAsset({ ...table(from, to), signals: ['a', 'b'], lookback: table(start, from) });
  const plan = planAsset(asset, given);
  const found = new Array<string>(to - from);
  const say = (row: number, outcome: string) => {
    if (found[row] !== undefined) throw new Error(`row ${row} has two outcomes`);
    found[row] = outcome;
  };
  for (const { row, code } of plan.rejected) say(row, code);
  for (const [code, rows] of plan.unscored) for (const row of rows) say(row, code);
  const into = new Float32Array(given.rows * 2);
  for (const row of plan.scored) {
    writeWindow(plan, row, into.fill(Number.NaN), 0);
    say(row, [...into].join(' '));
  }
  return found;
}

describe('what becomes of a row', () => {
  it('does not depend on where the stream is cut, nor on rows of lookback beyond what is demanded', () => {
    fc.assert(
      fc.property(
        readings,
        inputs,
        fc.array(fc.nat(79), { maxLength: 6 }),
        fc.nat(9),
        (stream, given, cuts, extra) => {
          const whole = outcomes(stream, given, 0, stream.length, 0);
          const lookback = lookbackOf({ inputs: given });
          const places = [0, ...cuts.map((cut) => cut % stream.length), stream.length];
          // Not sorted: batches come again, and reach over others.
          for (let index = 1; index < places.length; index += 1) {
            const [from, to] = [places[index - 1]!, places[index]!].sort((one, two) => one - two);
            const more = index % 2 === 0 ? extra : 0;
            const part = outcomes(stream, given, from!, to!, lookback + more);
            expect(part).toEqual(whole.slice(from, to));
          }
        },
      ),
      NUMBERS,
    );
  });

  it('is what the documented rules say, applied to it and its lookback alone', () => {
    fc.assert(
      fc.property(readings, inputs, (stream, given) => {
        const times = timesOf(stream);
        const rows = stream.map(({ a, b }, index) => ({ t: times[index]!, values: [a, b] }));
        const lookback = lookbackOf({ inputs: given });
        const whole = outcomes(stream, given, 0, stream.length, 0);
        for (const [index, outcome] of whole.entries()) {
          const seen = rows.slice(Math.max(0, index - lookback), index + 1);
          const expected = expectedOutcome(seen, given);
          expect([index, outcome]).toEqual([
            index,
            typeof expected === 'string' ? expected : [...Float32Array.from(expected)].join(' '),
          ]);
        }
      }),
      NUMBERS,
    );
  });

  it('is a score once the lookback is there, of rows and values as far apart as the manifest allows', () => {
    fc.assert(
      fc.property(inputs, ({ fillMsMax: _, hopMs: __, ...given }) => {
        const { resample, gapMsMax, fill } = given;
        const every = resample?.sourcePeriodMs ?? gapMsMax;
        // With resampling a signal may come as seldom as a hole is long.
        const seldom = resample && (resample.method !== 'mean' || fill === 'hold');
        const apart = seldom ? Math.floor(gapMsMax / every) : 1;
        // Means of rows more than a period apart need `hold`.
        fc.pre(seldom !== false || every <= given.periodMs);
        const lookback = lookbackOf({ inputs: given });
        const rows = lookback + 2 * apart;
        const stream = Array.from({ length: rows }, (_row, index) => ({
          step: every,
          a: 1,
          b: index % apart === 0 ? 2 : null,
        }));
        const found = outcomes(stream, given, lookback, rows, lookback);
        expect(found.filter((outcome) => /[a-z]/.test(outcome))).toEqual([]);
      }),
      NUMBERS,
    );
  });
});
