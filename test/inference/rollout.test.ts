/**
 * Goal: with real models in the real runtime, a bad canary costs the site no row and is rolled back, a bad shadow too, one
 * that is the same model stays; decisions can be read; and a kill between decision and effect loses neither. Method: the
 * module on a host without a hub, bundles that fail on a tenth of the rows; then as a process that is killed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOTES_PROPERTY, readScoreNotes, type ScoresMessage } from '@holdfast/contracts';
import { ChildProcess, temporaryFolder } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { killEnvironment } from '../faults/kills/arm.ts';
import { type RolloutSite, rolloutSite, trialBundle } from './fixtures/rollout-site.ts';

const DECISIONS = 200;
let site: RolloutSite | undefined;
afterEach(async () => {
  await site?.stop();
  site = undefined;
  await ChildProcess.killAll();
});

type Kind = Parameters<typeof trialBundle>[1];
async function open(kind: Kind, role: 'canary' | 'shadow', rollout = {}): Promise<RolloutSite> {
  const bundles = temporaryFolder('bundles');
  const active = trialBundle(bundles, 'same', '1');
  const candidate = trialBundle(bundles, kind, '2');
  site = await rolloutSite({ dataDir: temporaryFolder('data'), active, candidate, role, rollout });
  return site;
}

interface Status {
  candidates: { decisions: number; rows: number; evidence: Record<string, { blocks: number }> }[];
  last: { next?: { kind: string; criterion: string; decisions: number } };
}
const statusOf = ({ module }: RolloutSite) => (module.status() as { rollout: Status }).rollout;
async function until(count: number): Promise<Status> {
  for (let batch = 0; batch < count && statusOf(site!).last.next === undefined; batch += 1) {
    await site!.batch();
  }
  return statusOf(site!);
}
const messages = () => site!.sent.filter(({ output }) => output === 'scores');
const scores = () => messages().map(({ body }) => JSON.parse(body) as ScoresMessage);

describe('a bad candidate', () => {
  it.each<[Kind, 'canary' | 'shadow', string]>([
    ['throws', 'canary', 'failed'],
    ['nan', 'canary', 'non-finite'],
    ['off', 'canary', 'disagreement'],
    ['slow', 'canary', 'latency'],
    ['throws', 'shadow', 'failed'],
    ['nan', 'shadow', 'non-finite'],
    ['off', 'shadow', 'disagreement'],
    ['slow', 'shadow', 'latency'],
  ])('"%s" as a %s is rolled back for "%s", and costs no row', async (kind, role, criterion) => {
    await open(kind, role);
    const { last } = await until(DECISIONS);
    expect(last.next).toMatchObject({ kind: 'roll-back', criterion });
    const before = messages().length;
    await site!.batch();
    const all = scores();
    for (const { rejected, unscored } of all) expect([rejected, unscored]).toEqual([[], []]);
    expect(all.map(({ model }) => model?.version)).toEqual([
      ...Array(before).fill(role === 'canary' ? '2' : '1'),
      '1',
    ]);
    expect(site!.module.status()).toMatchObject({
      models: { next: { next: { state: 'rolled-back' } } },
    });
  });

  it('leaves the rows that it cannot score to the active model, and notes say which', async () => {
    await open('throws', 'canary');
    await site!.batch();
    const [message] = scores();
    const notes = readScoreNotes(messages()[0]!.properties?.[NOTES_PROPERTY]);
    expect(message?.model?.version).toBe('2');
    expect(message?.assets.map(({ seq }) => seq.length)).toEqual(Array(5).fill([36, 4]).flat());
    expect(notes?.models).toMatchObject([{ model: { version: '1' }, assets: [1, 3, 5, 7, 9] }]);
  });
});

describe('a candidate that is the same model', () => {
  it.each(['canary', 'shadow'] as const)('stays a %s', async (role) => {
    await open('same', role);
    const { last, candidates } = await until(DECISIONS);
    expect(last).toEqual({});
    expect(candidates[0]).toMatchObject({ decisions: DECISIONS, rows: DECISIONS * 200 });
    expect(candidates[0]!.evidence.latency!.blocks).toBe(DECISIONS);
  });

  it('becomes active by itself where the twin says so, over a restart too', async () => {
    const bundles = temporaryFolder('bundles');
    const given = {
      ...{ dataDir: temporaryFolder('data'), role: 'canary' as const },
      active: trialBundle(bundles, 'same', '1'),
      candidate: trialBundle(bundles, 'same', '2'),
      rollout: { promote: 'auto' as const, decisionsMin: 30 },
    };
    site = await rolloutSite(given);
    expect((await until(DECISIONS)).last.next?.kind).toBe('promote');
    expect(site.module.status()).toMatchObject({ model: { version: '2' } });
    await site.stop();
    site = await rolloutSite(given);
    expect(site.module.status()).toMatchObject({
      model: { version: '2' },
      rollout: { candidates: [] },
    });
  });
});

describe('over HTTP', () => {
  it('decisions can be read, newest first, and labels speak against a candidate', async () => {
    const limits = { disagreementShare: 0.9, shift: 5, missedShare: 0.99 };
    await open('off', 'shadow', { rollBack: 'off', limits: { ...LIMITS, ...limits } });
    const labelled = async (): Promise<unknown> => {
      const t = scores().at(-1)!.assets[0]!.t;
      const label = { fromT: Math.min(...t), toT: Math.max(...t), label: 'normal' };
      const labels = [0, 1, 2, 3, 4].map((asset) => ({ asset: `pump-${asset}`, ...label }));
      return (await site!.ask('/v1/labels', { labels })).body;
    };
    for (let batch = 0; batch < 40; batch += 1) {
      await site!.batch();
      expect(await labelled()).toEqual({ labels: 5, rows: 200 });
    }
    expect((await site!.ask('/v1/decisions?limit=1')).body).toMatchObject({
      decisions: [{ kind: 'worse', rule: { criterion: 'quality' }, candidate: { version: '2' } }],
    });
    const backwards = { asset: 'x', fromT: 2e12, toT: 1e12, label: 'normal' };
    expect((await site!.ask('/v1/decisions?limit=0')).status).toBe(400);
    expect((await site!.ask('/v1/labels', { labels: [] })).status).toBe(400);
    expect(await site!.ask('/v1/labels', { labels: [backwards] })).toMatchObject({
      ...{ status: 400, body: { error: expect.stringContaining('labels[0].toT') } },
    });
  });
});
const LIMITS = { failedShare: 0.01, unscoredShare: 0.05, slowdown: 100, qualityLoss: 0.05 };

describe('a process that is killed between a decision and its effect', () => {
  const file = 'modules/inference/src/rollout/rollout.ts';
  it.each([
    ['when the decision is on the disk', 'if (isAction) this.#act(decision);', 'before'],
    ['when it is in force', 'if (!acted && !this.#isReplaced(slot, digest)) return;', 'before'],
    ['when evidence is forgotten', "this.#append({ kind: 'done'", 'before'],
  ] as const)('%s has rolled back when it is back', async (name, anchor, place) => {
    const bundles = temporaryFolder('bundles');
    const args = [
      temporaryFolder('data'),
      trialBundle(bundles, 'same', '1'),
      trialBundle(bundles, 'throws', '2'),
    ];
    const run = (env: Record<string, string> = {}) =>
      ChildProcess.start(join(process.cwd(), 'test/inference/fixtures/rollout-process.ts'), {
        ...{ args, env, cwd: process.cwd() },
      });
    const point = {
      hop: 5,
      side: 'after',
      name,
      file,
      process: 'inference',
      anchor,
      place,
    } as never;
    const first = run({ ...killEnvironment({ point, pass: 1 }) } as Record<string, string>);
    expect(await first.exited).toMatchObject({ signal: 'SIGKILL' });
    const log = () => readFileSync(join(args[0]!, 'decisions.ndjson'), 'utf8');
    expect(log()).toContain('"kind":"roll-back"');
    expect(log()).not.toContain('"kind":"done"');

    const second = run();
    expect(await second.line('"decided"')).toContain('roll-back');
    const decisions = log()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).kind);
    expect(decisions).toEqual(['roll-back', 'done']);
    await second.kill();
  });
});
