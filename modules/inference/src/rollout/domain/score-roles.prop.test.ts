/**
 * Goal: with any canaries every row has one outcome; a row that the canary scores has the canary's, every other row the
 * one it would have without a canary; notes name the model of each entry, also when the message is cut again and again.
 * Method: random batches, a canary that throws or gives NaN on some rows and whose ranges and fill differ.
 */
import {
  check,
  type ModelIdentity,
  type ReadingsMessage,
  ScoresMessage,
} from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Model } from '../../domain/score-batch.ts';
import { splitScores } from '../../domain/split.ts';
import { aSlot } from '../../testing/a-route.ts';
import { aBatch, aManifest, aModel, anAsset, FakeScorer, options } from '../../testing/builders.ts';
import { groupsOf } from './assign.ts';
import { otherModelsIn, scoreByRoles } from './score-roles.ts';

const identityOf = (version: string): ModelIdentity => ({
  ...{ name: 'm', version, digest: `sha256:${version.repeat(64)}` },
});
const signals = (min?: number) => [
  { name: 'a', unit: '1', ...(min === undefined ? {} : { min }) },
  { name: 'b', unit: '1' },
];
const active: Model = {
  ...aModel(aManifest({ rows: 2, signals: signals(-10) })),
  identity: identityOf('1'),
};
/** Throws on 13, gives no number for 7, refuses a below 0, needs three rows, and holds missing values. */
function canary(poison: 'RUN_FAILED' | 'SCORER_UNAVAILABLE' = 'RUN_FAILED'): Model {
  const manifest = aManifest({ rows: 3, fill: 'hold', signals: signals(0) });
  const scorer = new FakeScorer(manifest.inputs, (window) =>
    window.at(-1) === 13 ? poison : undefined,
  );
  const run = scorer.run.bind(scorer);
  scorer.run = async (input, count) => {
    const sevens = Array.from({ length: count }, (_, at) => input[at * 6 + 5] === 7);
    const scores = await run(input, count);
    for (const [at, seven] of sevens.entries()) if (seven) scores.score[at] = Number.NaN;
    return scores;
  };
  return { manifest, scorer, identity: identityOf('2') };
}

const value = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: -12, max: 40 }) },
  fc.constantFrom(null, 7, 13),
);
const anyRow = fc.record({ asset: fc.nat(5), a: value, b: value });
const anyBatch = fc.array(anyRow, { minLength: 1, maxLength: 50 }).map((rows): ReadingsMessage => {
  const assets = [...new Set(rows.map((row) => row.asset))].map((number) => {
    const own = rows.flatMap((row, at) => (row.asset === number ? [{ ...row, seq: at + 1 }] : []));
    return anAsset({
      asset: `pump-${number}`,
      rows: own.map(({ a, b }) => [a, b]),
      seq: own.map(({ seq }) => seq),
    });
  });
  return aBatch(assets, { first: 1, last: rows.length });
});
const anyShare = fc.constantFrom(0.3, 0.6, 1);

const score = (batch: ReadingsMessage, trial?: { share: number; model?: Model }) => {
  const { share = 0, model = canary() } = trial ?? {};
  const canaries = share === 0 ? [] : [aSlot('next', model, { role: 'canary', share })];
  const roles = { actives: [aSlot('pump', active)], canaries, shadows: [] };
  return scoreByRoles(batch, groupsOf(batch.assets, roles), options);
};

type Outcomes = Map<number, { model: string | undefined; text: string }>;

/** By sequence number, with the model that a reader of message and notes takes for the row's. */
function outcomes(
  messages: readonly ScoresMessage[],
  others: ReadonlyMap<number, ModelIdentity>,
): Outcomes {
  const found: Outcomes = new Map();
  const add = (seq: number, outcome: unknown, model?: string): void => {
    if (found.has(seq)) throw new Error(`${seq} has two outcomes`);
    found.set(seq, { model, text: JSON.stringify(outcome) });
  };
  for (const message of messages) {
    expect(check(ScoresMessage, JSON.parse(JSON.stringify(message)))).toMatchObject({ ok: true });
    const notes = otherModelsIn(message, others);
    for (const [index, { asset, seq, t, score, level, above }] of message.assets.entries()) {
      const other = notes.find(({ assets }) => assets.includes(index));
      const model = (other?.model ?? message.model)?.version;
      for (const [row, number] of seq.entries()) {
        const at = above?.row.indexOf(row) ?? -1;
        const why = at < 0 ? [] : [above!.signals, above!.contribution[at], above!.value[at]];
        add(number, [asset, t[row], score[row], level[row], ...why], model);
      }
    }
    for (const { seq, ...rest } of message.rejected) add(seq, rest);
    for (const { asset, code, seq, t } of message.unscored) {
      for (const [row, number] of seq.entries()) add(number, [asset, code, t[row]]);
    }
  }
  return found;
}
const pieces = (message: ScoresMessage): ScoresMessage[] =>
  splitScores(message)?.flatMap(pieces) ?? [message];

describe('a batch with a canary', () => {
  it('has the score of the canary where it gives one, and else what it would have without', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, anyShare, async (batch, share) => {
        const tried = await score(batch, { share });
        const alone = outcomes([(await score(batch)).message], new Map());
        const only = await score(batch, { share: 1 });
        const own = outcomes([only.message], only.others);
        const found = outcomes([tried.message], tried.others);
        expect([...found.keys()].sort((a, b) => a - b)).toEqual(
          Array.from({ length: batch.last }, (_, at) => at + 1),
        );
        const met = new Set(
          tried.comparisons.flatMap(({ assets }) => assets.map((one) => one.asset)),
        );
        for (const [seq, outcome] of found) {
          expect(outcome).toEqual(outcome.model === '2' ? own.get(seq) : alone.get(seq));
        }
        // A canary of all assets that is good everywhere would leave nothing to the active model.
        if (share === 1) {
          expect([...met].length).toBe(
            new Set((await score(batch)).message.assets.map(({ asset }) => asset)).size,
          );
        }
      }),
    );
  });

  it('says the same when the message is cut in two again and again', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, anyShare, async (batch, share) => {
        const { message, others } = await score(batch, { share });
        expect(outcomes(pieces(message), others)).toEqual(outcomes([message], others));
      }),
    );
  });

  it('is the same bytes for the same batch and roles', async () => {
    await fc.assert(
      fc.asyncProperty(anyBatch, anyShare, async (batch, share) => {
        const [one, other] = [await score(batch, { share }), await score(batch, { share })];
        expect(JSON.stringify(one.message)).toBe(JSON.stringify(other.message));
        expect([...one.others]).toEqual([...other.others]);
      }),
      { numRuns: 30 },
    );
  });

  it('loses nothing to a canary whose worker is gone, and counts every row against it', async () => {
    const batch = aBatch([
      anAsset({
        rows: [
          [1, 1],
          [2, 2],
          [3, 13],
          [4, 4],
        ],
      }),
    ]);
    const { message, comparisons } = await score(batch, {
      share: 1,
      model: canary('SCORER_UNAVAILABLE'),
    });
    expect(message).toEqual((await score(batch)).message);
    expect(comparisons[0]?.assets[0]?.candidate.why).toEqual(Array(3).fill('MODEL_FAILED'));
  });

  it('has the name of the model that scored most of it', async () => {
    const rows = (asset: string, count: number, first: number) =>
      anAsset({
        asset,
        rows: Array.from({ length: count }, () => [1, 1]),
        seq: Array.from({ length: count }, (_, at) => first + at),
      });
    const both = (inCanary: number, outside: number) =>
      score(aBatch([rows('pump-1', inCanary, 1), rows('pump-0', outside, inCanary + 1)]), {
        share: 0.6,
      });
    const { assets } = (await both(9, 4)).comparisons[0]!;
    expect(assets.map(({ asset }) => asset)).toEqual(['pump-1']);
    expect((await both(9, 4)).message.model?.version).toBe('2');
    expect((await both(5, 9)).message.model?.version).toBe('1');
  });
});
