import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Level } from '@holdfast/contracts';
import { FakeClock, temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { aSlot, Slots } from '../testing/a-route.ts';
import { aManifest, aModel } from '../testing/builders.ts';
import { type Decision, DecisionLog } from './decision-log.ts';
import type { Comparison } from './domain/comparison.ts';
import { Rollout } from './rollout.ts';
import { type RolloutSetting, rolloutSetting } from './rollout-setting.ts';

const identity = (version: string) => ({
  ...{ name: 'm', version, digest: `sha256:${version.repeat(64)}` },
});
const model = (version: string) => ({ ...aModel(aManifest()), identity: identity(version) });
const quick = { rowsPerDecision: 10, decisionEveryMs: 0, decisionsMin: 30 };

let folder: string;
let slots: Slots;
let metrics: Registry;
let errors: string[];
let decided: number;

function open(given: Partial<RolloutSetting> = {}, role: 'canary' | 'shadow' = 'canary'): Rollout {
  if (!slots.all.some(({ slot }) => slot === 'next') && slots.promoted.length === 0) {
    slots.all.push(aSlot('next', model('2'), { role, share: role === 'canary' ? 0.1 : 0 }));
  }
  metrics = new Registry();
  return new Rollout({
    setting: { ...rolloutSetting.parse(undefined), ...quick, ...given },
    ...{ models: slots, folder, clock: new FakeClock(), metrics },
    log: { error: (event) => errors.push(event), warn() {}, info() {}, debug() {} },
    onDecision: () => {
      decided += 1;
    },
  });
}

/** Ten rows of one asset, of which some throw. */
function compared(failed = 0, given: Partial<Comparison> = {}): Comparison {
  const rows = Array.from({ length: 10 }, (_, at) => at);
  const level = rows.map((): Level => 0);
  return {
    ...{ slot: 'next', role: 'canary', identity: identity('2') },
    levels: { active: LEVELS, candidate: LEVELS },
    assets: [
      {
        ...{ asset: 'pump', seq: rows, t: rows.map((at) => at * 1_000) },
        active: { score: rows, level },
        candidate: {
          score: rows.map((at) => (at < failed ? null : at)),
          level: rows.map((at) => (at < failed ? null : 0)),
          why: rows.map((at) => (at < failed ? 'MODEL_FAILED' : null)),
        },
      },
    ],
    ...given,
  };
}
const LEVELS = { warning: 50, alarm: 100 };

const lines = (name = 'decisions.ndjson'): Decision[] =>
  readFileSync(join(folder, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Decision);
const feed = (rollout: Rollout, count: number, failed = 0): void => {
  for (let batch = 0; batch < count; batch += 1) rollout.observe(compared(failed));
};

beforeEach(() => {
  folder = temporaryFolder('rollout');
  slots = new Slots();
  slots.all = [aSlot('pump', model('1'))];
  errors = [];
  decided = 0;
});

describe('a candidate that fails', () => {
  it('is rolled back, with the reason and the evidence in the log before anything happens', async () => {
    const rollout = open();
    const rollBack = slots.rollBack.bind(slots);
    let known: Decision[] = [];
    slots.rollBack = (...given) => {
      known = lines();
      return rollBack(...given);
    };
    feed(rollout, 10, 5);
    expect(known).toMatchObject([
      {
        ...{ kind: 'roll-back', slot: 'next', role: 'canary', candidate: { version: '2' } },
        ...{ active: [{ version: '1' }], rule: { criterion: 'failed' } },
        evidence: { failed: { bad: expect.any(Number) } },
      },
    ]);
    expect(known[0]!.rule!.evidence).toBeGreaterThan(known[0]!.rule!.needed);
    expect(slots.rolledBack).toMatchObject([{ slot: 'next', code: 'failed' }]);
    expect(lines().map(({ kind, of }) => [kind, of])).toEqual([
      ['roll-back', undefined],
      ['done', 1],
    ]);
    expect(rollout.lastDecisions()).toMatchObject({
      next: { kind: 'roll-back', version: '2', criterion: 'failed' },
    });
    expect(decided).toBe(1);
    const text = await metrics.metrics();
    expect(text).toContain(
      'holdfast_inference_rollout_verdicts_total{slot="next",verdict="worse"} 1',
    );
    expect(text).toContain('rollout_fallbacks_total{slot="next",reason="MODEL_FAILED"}');
  });

  it('only is said to be worse, once, where the settings leave the rest to a person', () => {
    feed(open({ rollBack: 'off' }), 20, 5);
    feed(open({ rollBack: 'off' }), 20, 5);
    expect(lines().map(({ kind }) => kind)).toEqual(['worse']);
    expect(slots.canaries()).toHaveLength(1);
  });

  it('begins anew when the same model is tried again', () => {
    feed(open(), 10, 5);
    slots.all.push(aSlot('next', model('2'), { role: 'canary', share: 0.1 }));
    const again = open();
    expect(again.status()).toMatchObject({ candidates: [{ decisions: 0 }] });
    feed(again, 10, 5);
    expect(slots.rolledBack).toHaveLength(2);
  });
});

describe('a decision that a power cut overtakes', () => {
  it.each([
    ['before it has any effect', false],
    ['when it is in force but not yet noted', true],
  ])('%s is done at the next start, once', (_, inForce) => {
    const rollBack = slots.rollBack.bind(slots);
    slots.rollBack = (...given) => {
      if (inForce) rollBack(...given);
      throw new Error('power cut');
    };
    const rollout = open();
    expect(() => feed(rollout, 10, 5)).toThrow('power cut');
    slots.rollBack = (...given) => rollBack(...given) || true;
    expect(slots.rolledBack).toHaveLength(inForce ? 1 : 0);
    if (inForce) slots.promoted.push('nothing');
    open().settle();
    open().settle();
    expect(slots.rolledBack).toHaveLength(1);
    expect(lines().map(({ kind }) => kind)).toEqual(['roll-back', 'done']);
  });

  it('waits while the model is still being loaded, and is pointless when another is in the slot', () => {
    const rollout = open();
    slots.rollBack = () => false;
    feed(rollout, 10, 5);
    const next = slots.all.pop()!;
    rollout.settle();
    expect(lines().map(({ kind }) => kind)).toEqual(['roll-back']);
    slots.all.push({ ...next, model: model('3') });
    rollout.settle();
    expect(lines().map(({ kind }) => kind)).toEqual(['roll-back', 'done']);
  });
});

describe('a candidate that is good', () => {
  it('is said to be good once, also over restarts, and stays what it is', () => {
    feed(open(), 100);
    feed(open(), 100);
    expect(lines().map(({ kind, decisions }) => [kind, decisions])).toEqual([['good', 42]]);
    expect(slots.canaries()).toHaveLength(1);
  });

  it('becomes active where the settings say so', () => {
    feed(open({ promote: 'auto' }), 100);
    expect(slots.promoted).toEqual(['next']);
    expect(slots.actives().map(({ slot }) => slot)).toEqual(['next', 'pump']);
    expect(lines().map(({ kind }) => kind)).toEqual(['promote', 'done']);
  });

  it('is never promoted from a shadow', () => {
    const rollout = open({ promote: 'auto' }, 'shadow');
    for (let batch = 0; batch < 100; batch += 1) rollout.observe(compared(0, { role: 'shadow' }));
    expect(lines().map(({ kind }) => kind)).toEqual(['good']);
    expect(slots.shadows()).toHaveLength(1);
  });
});

describe('the evidence', () => {
  it('survives a restart', () => {
    const rollout = open();
    feed(rollout, 17);
    rollout.close();
    expect(open().status()).toMatchObject({ candidates: [{ decisions: 0 }] });
    const again = open();
    feed(again, 1);
    expect(again.status()).toMatchObject({ candidates: [{ decisions: 18, rows: 180 }] });
  });

  it('begins anew when its file is damaged', () => {
    const rollout = open();
    feed(rollout, 17);
    rollout.close();
    const file = join(folder, 'rollout.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"decisions":17', '"decisions":99'));
    const again = open();
    feed(again, 1);
    expect(again.status()).toMatchObject({ candidates: [{ decisions: 1 }] });
  });

  it('says nothing of batches that were left out, which are counted', async () => {
    const rollout = open();
    for (let batch = 0; batch < 50; batch += 1) {
      rollout.observe(compared(0, { assets: [], dropped: 'BUSY' }));
    }
    expect(rollout.status()).toMatchObject({ candidates: [{ decisions: 0 }] });
    expect(await metrics.metrics()).toContain('dropped_total{slot="next",reason="BUSY"} 50');
  });

  it('takes labels for the rows that are remembered, each once', () => {
    const rollout = open();
    feed(rollout, 1);
    const label = { asset: 'pump', fromT: 2_000, toT: 4_000, label: 'normal' as const };
    expect(rollout.label(label)).toBe(3);
    expect(rollout.label(label)).toBe(0);
    expect(rollout.label({ ...label, asset: 'other' })).toBe(0);
  });
});

describe('the log of decisions', () => {
  const entry = (slot: string) => ({
    ...{ kind: 'good' as const, atMs: 0, slot, role: 'canary' as const },
    candidate: identity('2'),
  });

  it('cuts off a line that was left half written, and goes on counting', () => {
    const log = new DecisionLog(folder);
    log.append(entry('one'));
    appendFileSync(join(folder, 'decisions.ndjson'), '{"v":1,"number":2,"ki');
    const again = new DecisionLog(folder);
    expect(again.entries.map(({ slot }) => slot)).toEqual(['one']);
    again.append(entry('two'));
    expect(lines().map(({ number, slot }) => [number, slot])).toEqual([
      [1, 'one'],
      [2, 'two'],
    ]);
  });

  it('keeps the newest files only', () => {
    const log = new DecisionLog(folder);
    for (let at = 0; at < 60; at += 1) log.append(entry('x'.repeat(30_000)));
    expect(readdirSync(folder).sort()).toEqual([
      'decisions.1.ndjson',
      'decisions.2.ndjson',
      'decisions.3.ndjson',
      'decisions.ndjson',
    ]);
    expect(new DecisionLog(folder).entries.at(-1)?.number).toBe(60);
  });

  it('decides nothing while the disk refuses', () => {
    mkdirSync(join(folder, 'decisions.ndjson'));
    slots.all = [aSlot('pump', model('1'))];
    expect(() => new DecisionLog(folder)).not.toThrow();
    const rollout = open();
    feed(rollout, 10, 5);
    expect(slots.rolledBack).toEqual([]);
    expect(errors).toContain('A decision could not be written, nothing is done');
  });
});
