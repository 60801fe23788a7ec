/**
 * Goal: a candidate that is worse is found within 200 decisions, and of 1,000 that are as good as the active model no more
 * than ten are ever called worse, also where neighbouring rows are alike. Method: seeded sites (testing/simulated-trial.ts)
 * whose machines and models' errors wander; 100 rows a decision, which is the default.
 */
import { describe, expect, it } from '@jest/globals';
import { rolloutSetting } from '../rollout-setting.ts';
import { runTrials } from '../testing/run-trials.ts';
import type { Fault, Site } from '../testing/simulated-trial.ts';
import { Block } from './block.ts';
import { Candidate, type DecisionRules } from './candidate.ts';
import type { Comparison } from './comparison.ts';
import { bet, betBelow, logOf, newCapital } from './e-process.ts';

const rules: DecisionRules = { ...rolloutSetting.parse(undefined), decisionEveryMs: 1 };

/** From rows that have nothing to do with each other to ones that are alike for minutes. */
const SITES: Site[] = [
  { assets: 2, rows: 50, memory: 0, error: 0.15, labels: true },
  { assets: 1, rows: 100, memory: 0.99, error: 0.15, labels: true },
  { assets: 3, rows: 34, memory: 0.98, error: 0.15, labels: true },
  { assets: 10, rows: 10, memory: 0.9, error: 0.25, labels: true },
];

/** Trials of the first seeds, spread over the sites. */
const trials = (count: number, fault: Fault, given: Partial<DecisionRules> = {}, decisions = 200) =>
  runTrials(
    Array.from({ length: count }, (_, seed) => {
      const site = SITES[seed % SITES.length]!;
      return { seed, site, fault, rules: { ...rules, ...given }, decisions };
    }),
  );

describe('a candidate that is as good as the active model', () => {
  it('is called worse in ten of 1,000 trials at most', async () => {
    const worse = (await trials(1_000, {})).filter(({ verdict }) => verdict?.kind === 'worse');
    expect(worse.length).toBeLessThanOrEqual(10);
  });

  it('is called good when there is enough to say so, nearly always within 400 decisions', async () => {
    const found = await trials(20, {}, { decisionsMin: 400 }, 400);
    const good = found.filter(({ verdict }) => verdict?.kind === 'good');
    expect(good.length).toBeGreaterThanOrEqual(18);
  });
});

describe('a candidate that is worse', () => {
  it.each<[string, Fault, string]>([
    ['differs in the level of 10 % of the rows', { otherLevel: 0.1 }, 'disagreement'],
    ['does so in stretches', { otherLevel: 0.1, stretch: 5 }, 'disagreement'],
    ['throws on 10 % of the rows', { throws: 0.1 }, 'failed'],
    ['throws on every row', { throws: 1 }, 'failed'],
    ['gives NaN on 10 % of the rows', { nan: 0.1 }, 'non-finite'],
    ['gives NaN on every row', { nan: 1 }, 'non-finite'],
    ['leaves 10 % of the rows unscored', { unscored: 0.1 }, 'unscored'],
    ['is twice as slow', { slow: 2 }, 'latency'],
    ['is right on 10 % fewer of the labelled rows', { wrong: 0.11 }, 'quality'],
    ['scores half the way from warning to alarm too high', { shift: 0.5 }, 'shift'],
  ])('because it %s is found within 200 decisions', async (_, fault, criterion) => {
    const found = await trials(60, fault);
    expect(found.filter(({ verdict }) => verdict?.kind !== 'worse')).toEqual([]);
    const reasons = found.map(({ verdict }) => verdict?.criterion);
    expect(reasons.filter((one) => one === criterion).length).toBeGreaterThan(50);
  });

  it('is never called good', async () => {
    const found = await trials(40, { otherLevel: 0.1 }, { decisionsMin: 1 });
    expect(found.map(({ verdict }) => verdict?.kind)).toEqual(Array(40).fill('worse'));
  });

  it('and misses everything abnormal is found although nearly all rows agree', () => {
    const candidate = new Candidate(undefined, 0);
    const rows = Array.from({ length: 100 }, (_, at) => at);
    const comparison: Comparison = {
      ...{ slot: 's', role: 'shadow', identity: { name: 'm', version: '1', digest: 'd' } },
      ...{ levels: { active: LEVELS, candidate: LEVELS } },
      assets: [
        {
          ...{ asset: 'x', seq: rows, t: rows },
          active: { score: rows.map(() => 0), level: rows.map((at) => (at < 2 ? 2 : 0)) },
          candidate: {
            ...{ score: rows.map(() => 0), level: rows.map(() => 0 as const) },
            why: rows.map(() => null),
          },
        },
      ],
    };
    let verdict: unknown;
    for (let now = 0; now < 50 && verdict === undefined; now += 1) {
      candidate.add(comparison);
      verdict = candidate.decide(rules, now)?.verdict;
    }
    expect(verdict).toMatchObject({ kind: 'worse', criterion: 'missed' });
  });
});

const LEVELS = { warning: 2, alarm: 3 };

describe('a decision', () => {
  it('waits for enough rows and enough time', () => {
    const candidate = new Candidate(undefined, 0);
    const of = (count: number): Comparison => {
      const rows = Array.from({ length: count }, (_, at) => at);
      return {
        ...{ slot: 's', role: 'shadow', identity: { name: 'm', version: '1', digest: 'd' } },
        ...{ levels: { active: LEVELS, candidate: LEVELS } },
        assets: [
          {
            ...{ asset: 'x', seq: rows, t: rows },
            active: { score: rows, level: rows.map(() => 0 as const) },
            candidate: {
              ...{ score: rows, level: rows.map(() => 0 as const) },
              why: rows.map(() => null),
            },
          },
        ],
      };
    };
    const slow = { ...rules, decisionEveryMs: 1_000 };
    candidate.add(of(99));
    expect(candidate.decide(slow, 0)).toBeUndefined();
    expect(candidate.decide(slow, 1_000)).toBeUndefined();
    candidate.add(of(1));
    expect(candidate.decide(slow, 999)).toBeUndefined();
    expect(candidate.decide(slow, 1_000)).toEqual({ verdict: undefined });
    expect(candidate.state).toMatchObject({ decisions: 1, rows: 100 });
    expect(candidate.decide(slow, 5_000)).toBeUndefined();
  });

  it('goes on after a restart as if there had been none', async () => {
    const site = SITES[0]!;
    const given = { seed: 5, site, fault: { otherLevel: 0.07 }, rules, decisions: 60 };
    const [one, other] = await runTrials([given, { ...given, restarts: true }]);
    expect(one).toEqual(other);
  });
});

describe('the capital of a bet', () => {
  it('does not grow in the mean while the claim holds, whatever is paid', () => {
    // The mean over both ends of a round at the limit is what was put in.
    for (const limit of [0.01, 0.05, 0.5]) {
      const start = newCapital();
      const win = Math.exp(logOf(bet(start, 1, limit)));
      const lose = Math.exp(logOf(bet(start, 0, limit)));
      expect(limit * win + (1 - limit) * lose).toBeCloseTo(1, 9);
      const below = [1, 0].map((x) => Math.exp(logOf(betBelow(start, x, limit))));
      expect(limit * below[0]! + (1 - limit) * below[1]!).toBeCloseTo(1, 9);
    }
  });

  it('is never lost altogether', () => {
    let capital = newCapital();
    for (let round = 0; round < 10_000; round += 1) capital = bet(capital, 0, 0.5);
    expect(Number.isFinite(logOf(capital))).toBe(true);
  });
});

describe('a block', () => {
  it('measures on the scale of each model how far apart the scores lie', () => {
    const block = new Block();
    const rows = Array.from({ length: 100 }, (_, at) => at);
    const zeros = rows.map(() => 0 as const);
    block.add({
      ...{ slot: 's', role: 'shadow', identity: { name: 'm', version: '1', digest: 'd' } },
      levels: { active: { warning: 2, alarm: 3 }, candidate: { warning: 20, alarm: 30 } },
      assets: [
        {
          ...{ asset: 'x', seq: rows, t: rows },
          active: { score: rows.map((at) => at / 100), level: zeros },
          candidate: {
            ...{ score: rows.map((at) => at / 10 + 4), level: zeros, why: rows.map(() => null) },
          },
        },
      ],
    });
    expect(block.shift).toBeCloseTo(0.4, 1);
  });
});
