import { until } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Model } from '../domain/score-batch.ts';
import { aRoute, aSlot } from '../testing/a-route.ts';
import { aBatch, aManifest, aModel, anAsset, FakeScorer, options } from '../testing/builders.ts';
import type { Comparison } from './domain/comparison.ts';
import { type RolloutSetting, rolloutSetting } from './rollout-setting.ts';
import type { Route } from './route.ts';

const batch = aBatch([
  anAsset({
    rows: [
      [1, 1],
      [2, 2],
    ],
  }),
]);
const active = aModel(aManifest());

let observed: Comparison[];
let release: () => void;
let running: number;
/** A shadow that scores when it is released. */
let slow: Model;

function open(setting: Partial<RolloutSetting> = {}): Route {
  const roles = {
    actives: [aSlot('pump', active)],
    shadows: [aSlot('trial', slow, { role: 'shadow' })],
  };
  return aRoute(() => roles, {
    setting: () => ({ ...rolloutSetting.parse(undefined), ...setting }),
    observe: (comparison) => observed.push(comparison),
  });
}
const score = (route: Route, busy = false) => route.score(batch, { ...options, busy });

beforeEach(() => {
  observed = [];
  running = 0;
  const scorer = new FakeScorer(aManifest().inputs);
  const run = scorer.run.bind(scorer);
  const blocked = new Promise<void>((resolve) => {
    release = resolve;
  });
  scorer.run = async (input, count) => {
    running += 1;
    await blocked;
    return run(input, count);
  };
  slow = { ...aModel(aManifest(), scorer), identity: { ...active.identity, version: '2' } };
});

describe('a shadow', () => {
  it('that is in time travels with the scores', async () => {
    release();
    const { compared, message } = await score(open({ shadowWaitMs: 1_000 }));
    expect(compared).toMatchObject([{ slot: 'trial', role: 'shadow' }]);
    expect(compared[0]!.assets[0]).toMatchObject({
      seq: [1, 2],
      candidate: { score: message.assets[0]!.score },
    });
    expect(message.model).toEqual(active.identity);
  });

  it.each([0, 1])(
    'that is late after %s ms holds nothing up, and counts nevertheless',
    async (ms) => {
      const { compared, message } = await score(open({ shadowWaitMs: ms }));
      expect(compared).toEqual([]);
      expect(message.assets).toHaveLength(1);
      expect(observed).toEqual([]);
      release();
      await until(() => observed.length === 1);
      expect(observed[0]?.assets[0]?.seq).toEqual([1, 2]);
    },
  );

  it('is left out beyond what it may work on at once, and counted', async () => {
    const route = open({ shadowWaitMs: 0, shadowBatchesMax: 2 });
    for (let at = 0; at < 5; at += 1) await score(route);
    expect(running).toBe(2);
    await until(() => observed.length === 3);
    expect(observed.map(({ dropped }) => dropped)).toEqual(Array(3).fill('BUSY'));
    release();
    await until(() => observed.length === 5);
    await score(route);
    expect(running).toBe(3);
  });

  it('is left out while batches wait', async () => {
    await score(open(), true);
    expect(running).toBe(0);
    expect(observed).toMatchObject([{ dropped: 'BUSY' }]);
  });

  it('whose queue is full is not blamed, one that has no worker is', async () => {
    const failing = (code: string): void => {
      slow = aModel(aManifest(), new FakeScorer(aManifest().inputs, () => code));
    };
    failing('QUEUE_FULL');
    await score(open({ shadowWaitMs: 1_000 }));
    failing('SCORER_UNAVAILABLE');
    await score(open({ shadowWaitMs: 1_000 }));
    expect(observed).toMatchObject([
      { dropped: 'QUEUE_FULL', assets: [] },
      { assets: [{ candidate: { why: ['MODEL_FAILED', 'MODEL_FAILED'] } }] },
    ]);
  });
});
