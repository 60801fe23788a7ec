/**
 * Goal: the promises of "Life of a model": what is mounted or named later is taken, a model in use is never given up for
 * one that does not pass, reasons are told, and a restart without a source serves the last good set. Method: the set
 * of models with the real runtime, real bundles from folders, and short pauses.
 */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  fetchBundle,
  makeKeyPair,
  NO_KEYS,
  readPrivateKey,
  readPublicKeys,
  signBundle,
  trustIn,
  verifyBundle,
} from '@holdfast/model-bundle';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { loadModel } from '../../modules/inference/src/adapters/load-model.ts';
import type { ModelRole } from '../../modules/inference/src/domain/catalog.ts';
import { ModelSet } from '../../modules/inference/src/models/model-set.ts';
import type { SetModel } from '../../modules/inference/src/models/set-model.ts';
import type { SlotKeeperOptions } from '../../modules/inference/src/models/slot-keeper.ts';
import { wantedModels } from '../../modules/inference/src/models/wanted-models.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';
import { writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';

let dataDir: string;
let changes = 0;
let errors: string[] = [];
let metrics: Registry;
const open: ModelSet[] = [];
beforeEach(() => {
  dataDir = temporaryFolder('data');
  changes = 0;
  errors = [];
});
afterEach(() => Promise.all(open.splice(0).map((set) => set.close())));

function aSet(change: Partial<SlotKeeperOptions<SetModel>> = {}): ModelSet {
  metrics = new Registry();
  const log = { error: (event: string) => errors.push(event), warn() {}, info() {}, debug() {} };
  const set = new ModelSet({
    dataDir,
    fetch: fetchBundle,
    verify: (folder) => verifyBundle(folder, NO_KEYS),
    load: (folder, onStep) => loadModel({ engine: anEngine(), folder, onStep }),
    budget: () => ({}),
    spareBytes: () => 0,
    log,
    metrics,
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    retryMs: 30,
    graceMs: 0,
    onChange: () => {
      changes += 1;
    },
    ...change,
  });
  open.push(set);
  return set;
}

/** Version 1 gives the sum of both values, version 2 a tenth of the first. */
const write = (version: '1' | '2', change: object = {}, folder = temporaryFolder('bundle')) =>
  writeBundle(folder, {
    model: version === '1' ? 'sum' : 'lookup',
    signals: ['a', 'b'],
    golden: [{ name: 'five', input: [[5, 0]], score: version === '1' ? 5 : 0.5 }],
    manifest: { name: 'm', version, ...change },
  });
const slot = (ref: string, role: ModelRole = 'active', digest?: string) => ({ ref, role, digest });
const mounted = (folder: string) => wantedModels({}, folder);
const named = (slots: Record<string, ReturnType<typeof slot>>) => wantedModels(slots, undefined);
const digestOf = async (folder: string): Promise<string> =>
  (await verifyBundle(folder, NO_KEYS)).identity.digest;
const serving = (set: ModelSet) => set.actives().map((one) => one.model.identity.version);
const next = (set: ModelSet, name = 'pump') =>
  (
    set.status() as Record<string, { next: { state: string; code: string; reason: string } | null }>
  )[name]!.next;
/** Version 1 in the store of a set that is closed again, and the twin that named it. */
async function storedOne() {
  const folder = write('1');
  const digest = await digestOf(folder);
  const wanted = named({ pump: slot(folder, 'active', digest) });
  const set = aSet();
  await set.start(wanted, true);
  await until(() => serving(set)[0] === '1');
  await set.close();
  return { folder, digest, wanted };
}
async function score(set: ModelSet): Promise<number> {
  const { scorer } = set.actives()[0]!.model;
  const input = scorer.room(2);
  input.set([5, 0]);
  return (await scorer.run(input, 1)).score[0]!;
}

describe('the folder of HOLDFAST_MODEL_DIR', () => {
  it('is taken when a bundle is mounted after the start', async () => {
    const folder = temporaryFolder('bundle');
    const set = aSet();
    await set.start(mounted(folder), false);
    expect(set.problem()).toContain('BUNDLE_FILE_MISSING: model.json is missing');
    await until(() => ((next(set, 'mounted') as { tries?: number } | null)?.tries ?? 0) > 4);
    expect(errors).toEqual(['There is no usable model, rows stay unscored']);
    write('1', {}, folder);
    await until(() => serving(set).length === 1);
    expect(changes).toBeGreaterThan(0);
    expect(set.problem()).toBeUndefined();
    expect(set.actives()[0]).toMatchObject({ slot: 'mounted', role: 'active' });
  });

  it('is loaded again when its model is lost', async () => {
    const set = aSet();
    await set.start(mounted(write('1')), false);
    const first = set.actives()[0]!.model;
    set.lost(first, 'its worker keeps ending');
    expect(set.actives()).toEqual([]);
    expect(set.problem()).toBe('its worker keeps ending');
    await until(() => serving(set).length === 1);
    expect(set.actives()[0]!.model).not.toBe(first);
  });

  it('keeps its model when that cannot be loaded anew', async () => {
    const folder = write('1');
    const set = aSet();
    await set.start(mounted(folder), false);
    const first = set.actives()[0]!.model;
    appendFileSync(join(folder, 'model.onnx'), ' ');
    set.renew();
    await until(() => errors.length > 0);
    expect(set.actives()[0]!.model).toBe(first);
    expect(set.problem()).toBeUndefined();
    expect(set.status()).toMatchObject({
      mounted: { serves: { version: '1' }, notLoadedAnew: expect.stringContaining('BUNDLE_') },
    });
    expect(errors).toEqual(['The model could not be loaded, the one in use stays']);
  });

  it('serves until a model that the twin names instead is ready', async () => {
    const broken = temporaryFolder('bundle');
    const set = aSet();
    await set.start(mounted(write('1')), false);
    set.want(named({ pump: slot(broken) }));
    await until(() => next(set)?.state === 'failed');
    expect(serving(set)).toEqual(['1']);
    write('2', {}, broken);
    await until(() => set.entries().length === 1);
    expect(set.actives()[0]).toMatchObject({ slot: 'pump', model: { identity: { version: '2' } } });
  });
});

describe('a new model in a slot', () => {
  it('takes its place in one step, and the one before drains and is known', async () => {
    const set = aSet();
    const [one, two] = [write('1'), write('2')];
    await set.start({}, false);
    set.want(named({ pump: slot(one, 'active', await digestOf(one)) }));
    await until(() => serving(set)[0] === '1');
    const before = set.actives()[0]!;
    expect(await score(set)).toBe(5);
    set.want(named({ pump: slot(two, 'active', await digestOf(two)) }));
    const seen = new Set<string>();
    await until(() => {
      for (const { state, identity } of set.entries()) seen.add(`${identity?.version} ${state}`);
      return set.entries().length === 1 && serving(set)[0] === '2';
    });
    expect([...seen]).toEqual(expect.arrayContaining(['1 ready', '2 ready']));
    expect(await score(set)).toBeCloseTo(0.5);
    await expect(before.model.scorer.run(new Float32Array(2), 1)).rejects.toMatchObject({
      code: 'SCORER_UNAVAILABLE',
    });
    expect(set.status()).toMatchObject({
      pump: { serves: { version: '2' }, next: null, previous: { version: '1' } },
    });
    expect(await metrics.metrics()).toMatch(
      /holdfast_inference_model_swaps_total\{slot="pump"\} 2/,
    );
  });

  it.each([
    ['does not give its golden outputs', { golden: 7 }, 'BUNDLE_GOLDEN'],
    ['takes longer than it may', { budget: { runMs: 1e-6 } }, 'BUDGET_RUN'],
    ['needs more memory than it may', { budget: { memoryMb: 1e-6 } }, 'BUDGET_MEMORY'],
    ['needs a newer runtime', { opset: 26 }, 'BUNDLE_OPSET'],
  ])('that %s is refused with the reason, and the old one goes on', async (_, change, code) => {
    const set = aSet({
      load: async (folder, onStep) => {
        const model = await loadModel({ engine: anEngine(), folder, onStep });
        // Room that a test machine surely sees.
        held.push(Buffer.alloc(20e6, 1));
        return model;
      },
    });
    const held: Buffer[] = [];
    await set.start({}, false);
    set.want(named({ pump: slot(write('1')) }));
    await until(() => serving(set)[0] === '1');
    const bad = 'golden' in change ? badGolden() : write('2', change);
    set.want(named({ pump: slot(bad) }));
    await until(() => next(set)?.state === 'refused');
    expect(next(set)).toMatchObject({ code });
    expect(next(set)!.reason.length).toBeGreaterThan(20);
    expect(serving(set)).toEqual(['1']);
    expect(set.reported()).toMatchObject({
      pump: { state: 'ready', model: { version: '1' }, next: { state: 'refused', code } },
    });
    expect(await metrics.metrics()).toContain(
      `holdfast_inference_model_refusals_total{code="${code}"} 1`,
    );
    set.want(named({ pump: slot(write('2')) }));
    await until(() => serving(set)[0] === '2');
    expect(next(set)).toBeNull();
  });

  it('that does not come is tried again, and the reason says what is wrong', async () => {
    const set = aSet();
    const folder = write('1');
    const two = write('2');
    const digest = await digestOf(two);
    await set.start({}, false);
    set.want(named({ pump: slot(folder) }));
    await until(() => serving(set)[0] === '1');
    set.want(named({ pump: slot(folder, 'active', digest) }));
    await until(() => ((next(set) as { tries?: number } | null)?.tries ?? 0) > 2);
    expect(next(set)).toMatchObject({ state: 'failed', code: 'SOURCE_DIGEST', digest });
    write('2', {}, folder);
    await until(() => serving(set)[0] === '2');
  });

  it('can be taken back by hand, and given another chance by hand', async () => {
    const set = aSet();
    await set.start({}, false);
    const wanted = named({ pump: slot(write('2')) });
    set.want(named({ pump: slot(write('1')) }));
    await until(() => serving(set)[0] === '1');
    set.want(wanted);
    await until(() => serving(set)[0] === '2');
    set.revert('pump', 'too many alarms');
    await until(() => serving(set)[0] === '1');
    set.want(wanted);
    expect(next(set)).toMatchObject({
      state: 'rolled-back',
      version: '2',
      reason: 'too many alarms',
    });
    expect(() => set.revert('pump', 'again')).toThrow('no model before this one');
    set.retry('pump');
    await until(() => serving(set)[0] === '2');
    expect(() => set.retry('fan')).toThrow('there is no slot "fan", there are: pump');
  });
});

describe('canaries and what is only served', () => {
  it('a canary is promoted before the others and stays so after a restart', async () => {
    const wanted = named({ pump: slot(write('1')), trial: slot(write('2'), 'canary') });
    const set = aSet();
    await set.start(wanted, true);
    await until(() => serving(set).length === 1 && set.canaries().length === 1);
    const digest = set.canaries()[0]!.model.identity.digest;
    expect(set.promote('trial', `sha256:${'0'.repeat(64)}`)).toBe(false);
    expect(set.promote('trial', digest)).toBe(true);
    expect(serving(set)).toEqual(['2', '1']);
    await set.close();
    const again = aSet();
    await again.start(wanted, true);
    expect(serving(again)).toEqual(['2', '1']);
    expect(again.status()).toMatchObject({ trial: { role: 'active', roleInTwin: 'canary' } });
  });

  it('a canary that was rolled back is out, also after a restart, until the twin names another', async () => {
    const [one, two] = [write('1'), write('2')];
    const wanted = named({ pump: slot(one), trial: slot(two, 'canary') });
    const set = aSet();
    await set.start(wanted, true);
    await until(() => serving(set).length === 1 && set.canaries().length === 1);
    const digest = set.canaries()[0]!.model.identity.digest;
    const why = { code: 'ROLLOUT_LATENCY', reason: 'twice as slow' };
    expect(set.rollBack('trial', digest, why)).toBe(true);
    expect(set.rollBack('trial', digest, why)).toBe(true);
    expect(set.rollBack('pump', set.actives()[0]!.model.identity.digest, why)).toBe(false);
    await set.close();
    const again = aSet();
    await again.start(wanted, true);
    expect(next(again, 'trial')).toMatchObject({ state: 'rolled-back', reason: 'twice as slow' });
    expect(again.canaries()).toEqual([]);
    again.want(named({ pump: slot(one), trial: slot(write('2'), 'canary') }));
    await until(() => again.canaries().length === 1);
  });

  it('only a served model is unloaded and loaded by name', async () => {
    const set = aSet();
    await set.start({}, false);
    set.want(named({ pump: slot(write('1')), extra: slot(write('2', { name: 'x' }), 'serve') }));
    await until(() => set.entries().filter(({ state }) => state === 'ready').length === 2);
    await expect(set.unload('m')).rejects.toThrow('is active by the module twin');
    await set.unload('x');
    expect(set.find('x')).toMatchObject({ state: 'unloaded', reason: 'unloaded by the HTTP API' });
    await set.load('x');
    expect(set.find('x', '2')).toMatchObject({ state: 'ready', slot: 'extra' });
    await expect(set.load('y')).rejects.toThrow('"y" is not known');
    expect(serving(set)).toEqual(['1']);
  });
});

describe('after a restart', () => {
  it('the last good model serves at once, although its source is gone and the twin names another', async () => {
    const [one, two] = [write('1'), write('2')];
    const set = aSet();
    await set.start(named({ pump: slot(one) }), true);
    await until(() => serving(set)[0] === '1');
    const since = set.actives()[0]!.sinceMs;
    await set.close();
    rmSync(one, { recursive: true });
    const missing = join(temporaryFolder('none'), 'nowhere');
    const again = aSet();
    await again.start(named({ pump: slot(missing, 'active', await digestOf(two)) }), true);
    expect(serving(again)).toEqual(['1']);
    expect(again.actives()[0]!.sinceMs).toBe(since);
    await until(() => next(again)?.state === 'failed');
    expect(again.status()).toMatchObject({
      pump: { serves: { version: '1' }, next: { code: 'SOURCE_NOT_FOUND' } },
    });
  });

  it('a bundle that is gone from the disk does not hold up the start while it is fetched', async () => {
    const one = write('1');
    const wanted = named({ pump: slot(one, 'active', await digestOf(one)) });
    const set = aSet();
    await set.start(wanted, true);
    await until(() => serving(set)[0] === '1');
    await set.close();
    rmSync(join(dataDir, 'models'), { recursive: true });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const again = aSet({ fetch: async (...args) => held.then(() => fetchBundle(...args)) });
    await again.start(wanted, true);
    expect(again.problem()).toBe('slot pump is fetching');
    release();
    await until(() => serving(again)[0] === '1');
  });

  it('a twin that was not heard yet takes nothing away', async () => {
    const set = aSet();
    await set.start(named({ pump: slot(write('1')) }), true);
    await until(() => serving(set)[0] === '1');
    await set.close();
    const again = aSet();
    await again.start(mounted(write('2')), false);
    expect(serving(again)).toEqual(['1']);
    again.want(mounted(write('2')));
    await until(() => serving(again)[0] === '2' && again.entries().length === 1);
    expect(again.reported()).toMatchObject({ pump: null, mounted: { state: 'ready' } });
  });

  it('a damaged copy is fetched again, and damaged notes cost their copy nothing', async () => {
    const { digest, wanted } = await storedOne();
    const stored = join(dataDir, 'models', digest.replace(':', '-'), 'model.onnx');
    writeFileSync(stored, readFileSync(stored).subarray(1));
    writeFileSync(join(dataDir, 'models.json'), '{"v":1,"slots":');
    const again = aSet();
    await again.start(wanted, true);
    await until(() => serving(again)[0] === '1');
    expect(await metrics.metrics()).toMatch(/failures_total\{code="STORE_DAMAGED"\} 1/);
    expect(existsSync(join(dataDir, 'models.json.damaged'))).toBe(true);
  });

  it('a site that asks for signatures by now takes the new signature of the bundle that it has', async () => {
    const { folder, wanted } = await storedOne();
    const pair = makeKeyPair();
    const policy = trustIn(readPublicKeys(pair.publicPem), 'required');
    const strict = { verify: (folder: string) => verifyBundle(folder, policy) };
    await signBundle(folder, readPrivateKey(pair.privatePem));
    const signed = aSet(strict);
    await signed.start(wanted, true);
    await until(() => serving(signed)[0] === '1');
    expect(signed.status()).toMatchObject({ pump: { signedBy: expect.any(String) } });
  });

  it('an older version that somebody signed once does not come in by a folder, only by its digest', async () => {
    const { privatePem, publicPem } = makeKeyPair();
    const policy = trustIn(readPublicKeys(publicPem));
    const signing = { verify: (path: string) => verifyBundle(path, policy) };
    const [older, newer] = [write('1'), write('2')];
    for (const folder of [older, newer]) await signBundle(folder, readPrivateKey(privatePem));
    const set = aSet(signing);
    await set.start(named({ pump: slot(newer) }), true);
    await until(() => serving(set)[0] === '2');
    set.want(named({ pump: slot(older) }));
    await until(() => next(set)?.state === 'refused');
    expect(next(set)).toMatchObject({
      code: 'BUNDLE_DOWNGRADE',
      reason: expect.stringContaining('version: "1" is not allowed, must not be older than 2'),
    });
    expect(serving(set)).toEqual(['2']);
    set.want(named({ pump: slot(older, 'active', await digestOf(older)) }));
    await until(() => serving(set)[0] === '1');
  });

  it('an older signed version does not come in by an exchanged mount while the site is off', async () => {
    const { privatePem, publicPem } = makeKeyPair();
    const policy = trustIn(readPublicKeys(publicPem));
    const signing = { verify: (path: string) => verifyBundle(path, policy) };
    const mount = write('2');
    await signBundle(mount, readPrivateKey(privatePem));
    const before = aSet(signing);
    await before.start(mounted(mount), false);
    expect(serving(before)).toEqual(['2']);
    await before.close();
    write('1', {}, mount);
    await signBundle(mount, readPrivateKey(privatePem));
    const after = aSet(signing);
    await after.start(mounted(mount), false);
    expect(after.problem()).toContain('must not be older than 2');
    expect(serving(after)).toEqual([]);
  });

  it('a model in whose load the process ended three times is refused', async () => {
    const two = write('2');
    const digest = await digestOf(two);
    const loads = { [digest]: 3 };
    writeFileSync(join(dataDir, 'models.json'), JSON.stringify({ v: 1, loads }));
    const set = aSet();
    await set.start(named({ pump: slot(two) }), true);
    await until(() => next(set)?.state === 'refused');
    expect(next(set)).toMatchObject({ code: 'LOAD_ENDS_PROCESS' });
    expect(set.problem()).toContain('slot pump is refused: the process ended 3 times');
    set.retry('pump');
    await until(() => serving(set)[0] === '2');
  });
});

it('the disk holds what is in use and what may come back, and no more', async () => {
  const set = aSet();
  await set.start({}, false);
  const bundles = [];
  for (let at = 0; at < 4; at += 1) bundles.push(write('1', { version: `1.${at}` }));
  for (const [at, bundle] of bundles.entries()) {
    set.want(named({ pump: slot(bundle) }));
    await until(() => serving(set)[0] === `1.${at}`);
  }
  const stored = () => readdirSync(join(dataDir, 'models')).filter((name) => /^sha256/.test(name));
  await until(() => stored().length === 2);
  const kept = (await Promise.all(bundles.slice(2).map(digestOf))).map((one) =>
    one.replace(':', '-'),
  );
  expect(stored().sort()).toEqual(kept.sort());
  expect(set.counts.storeRemoved).toBe(2);
});

function badGolden(): string {
  return writeBundle(temporaryFolder('bundle'), {
    model: 'lookup',
    signals: ['a', 'b'],
    golden: [{ name: 'five', input: [[5, 0]], score: 7 }],
    manifest: { name: 'm', version: '2' },
  });
}
