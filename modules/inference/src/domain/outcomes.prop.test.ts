/**
 * Goal: every sequence number of any batch gets exactly one outcome, the outcome does not depend on how a stream was
 * cut into batches, and cutting a message in two loses nothing. Method: random rows with gaps, missing and extreme
 * values, a scorer that fails on some windows, and random cuts with lookback.
 */
import {
  type AssetReadings,
  check,
  type ReadingsMessage,
  ScoresMessage,
} from '@holdfast/contracts';
import { START_MS } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { aBatch, aManifest, aModel, anAsset, FakeScorer, options } from '../testing/builders.ts';
import { batchProblems } from './batch-rules.ts';
import { scoreBatch } from './score-batch.ts';
import { splitScores } from './split.ts';

const value = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: -20, max: 40 }) },
  fc.constant(null),
  fc.constant(1e300),
  fc.constant(13),
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant(1_000) },
  fc.constantFrom(0, -3_000, 5_000, 5_001, 60_000),
);
const streamRow = fc.record({ asset: fc.nat(2), step, a: value, b: value });
const rows = fc.array(streamRow, { minLength: 1, maxLength: 60 });
const manifest = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  fill: fc.constantFrom('none' as const, 'hold' as const),
});

type Row = { asset: number; step: number; a: number | null; b: number | null };
const NAMES = ['one', 'two', 'three'];
const limited = [
  { name: 'a', unit: '1', min: -10 },
  { name: 'b', unit: '1', max: 1e301 },
];

/** The batch of rows `from <= index < to` of a stream, each asset with the `lookback` rows before. */
function cut(stream: readonly Row[], from: number, to: number, lookback: number): ReadingsMessage {
  const clocks = [START_MS, START_MS, START_MS];
  const timed = stream.map((row, index) => {
    clocks[row.asset]! += row.step;
    return { ...row, seq: index + 1, t: clocks[row.asset]! };
  });
  const assets = NAMES.flatMap((name, number): AssetReadings[] => {
    const own = timed.filter((row) => row.asset === number);
    const inside = own.filter((row) => row.seq > from && row.seq <= to);
    if (inside.length === 0) return [];
    const before = lookback === 0 ? [] : own.filter((row) => row.seq <= from).slice(-lookback);
    return [
      anAsset({
        asset: name,
        rows: inside.map((row) => [row.a, row.b]),
        seq: inside.map((row) => row.seq),
        t: inside.map((row) => row.t),
        signals: number === 2 && stream[0]?.a === 7 ? ['a', 'c'] : ['a', 'b'],
        lookback: { rows: before.map((row) => [row.a, row.b]), t: before.map((row) => row.t) },
      }),
    ];
  });
  return aBatch(assets, { first: from + 1, last: to, lookback });
}

const modelFor = (given: { rows: number; fill: 'none' | 'hold' }) => {
  const full = aManifest({ ...given, signals: limited });
  const poison = (window: Float32Array) => (window.at(-1) === 13 ? 'RUN_FAILED' : undefined);
  return aModel(full, new FakeScorer(full.inputs, poison));
};

/** Outcome of each row as text, by sequence number. */
function outcomes(messages: readonly ScoresMessage[]): Map<number, string> {
  const found = new Map<number, string>();
  const add = (seq: number, outcome: unknown): void => {
    if (found.has(seq)) throw new Error(`${seq} has two outcomes`);
    found.set(seq, JSON.stringify(outcome));
  };
  for (const { assets, rejected, unscored } of messages) {
    for (const { asset, seq, t, score, level, above } of assets) {
      for (const [row, number] of seq.entries()) {
        const at = above?.row.indexOf(row) ?? -1;
        const why = at < 0 ? [] : [above!.signals, above!.contribution[at], above!.value[at]];
        add(number, [asset, t[row], score[row], level[row], ...why]);
      }
    }
    for (const { seq, ...rest } of rejected) add(seq, rest);
    for (const { asset, code, seq, t } of unscored) {
      for (const [row, number] of seq.entries()) add(number, [asset, code, t[row]]);
    }
  }
  return new Map([...found].sort(([one], [other]) => one - other));
}
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

describe('the outcomes of a batch', () => {
  it('are exactly one for each sequence number, in a message that its schema accepts', async () => {
    await fc.assert(
      fc.asyncProperty(rows, manifest, async (stream, given) => {
        const batch = cut(stream, 0, stream.length, given.rows - 1);
        expect(batchProblems(batch)).toEqual([]);
        const message = await scoreBatch(batch, modelFor(given), options);
        expect([...outcomes([message]).keys()]).toEqual(upTo(stream.length));
        expect(check(ScoresMessage, JSON.parse(JSON.stringify(message)))).toMatchObject({
          ok: true,
        });
      }),
    );
  });

  it('do not depend on where the stream is cut into batches', async () => {
    await fc.assert(
      fc.asyncProperty(rows, manifest, fc.nat(), fc.nat(3), async (stream, given, at, extra) => {
        const middle = at % (stream.length + 1);
        const lookback = given.rows - 1 + extra;
        const score = (from: number, to: number) =>
          from === to
            ? []
            : [scoreBatch(cut(stream, from, to, lookback), modelFor(given), options)];
        const whole = await Promise.all(score(0, stream.length));
        const parts = await Promise.all([...score(0, middle), ...score(middle, stream.length)]);
        expect(outcomes(parts)).toEqual(outcomes(whole));
      }),
    );
  });

  it('are the same bytes for the same batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        rows,
        manifest,
        fc.integer({ min: 1, max: 9 }),
        async (stream, given, size) => {
          const batch = cut(stream, 0, stream.length, given.rows - 1);
          const first = await scoreBatch(batch, modelFor(given), options);
          const again = await scoreBatch(batch, modelFor(given), {
            ...options,
            windowsPerRunMax: size,
          });
          expect(JSON.stringify(again)).toBe(JSON.stringify(first));
        },
      ),
    );
  });

  it('stay the same when the message is cut in two again and again', async () => {
    const pieces = (message: ScoresMessage): ScoresMessage[] =>
      splitScores(message)?.flatMap(pieces) ?? [message];
    await fc.assert(
      fc.asyncProperty(rows, manifest, async (stream, given) => {
        const batch = {
          ...cut(stream, 0, stream.length, given.rows - 1),
          want: [...new Set([1, stream.length])],
        };
        const message = await scoreBatch(batch, modelFor(given), options);
        const parts = pieces(message);
        expect(parts.map((part) => [part.first, part.last])).toEqual(
          upTo(stream.length).map((seq) => [seq, seq]),
        );
        expect(outcomes(parts)).toEqual(outcomes([message]));
        expect(parts.flatMap((part) => part.want ?? [])).toEqual(batch.want);
        for (const part of parts) expect(check(ScoresMessage, part)).toMatchObject({ ok: true });
      }),
    );
  });
});
