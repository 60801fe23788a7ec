/**
 * Goal: a swap costs nothing: under requests and route traffic no request fails, no row goes unscored, and every answer
 * is that of the version that it names. Method: two versions with different known answers, swapped again and again; the
 * real runtime, 500 requests a second to the HTTP API, some in two parts so that a swap falls between them; and batches
 * of the route as fast as they are scored. More swaps: HOLDFAST_SWAPS.
 */
import type { ScoresMessage } from '@holdfast/contracts';
import { fetchBundle, NO_KEYS, verifyBundle } from '@holdfast/model-bundle';
import { temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { loadModel } from '../../modules/inference/src/adapters/load-model.ts';
import { settings as schema } from '../../modules/inference/src/config.ts';
import { Counts } from '../../modules/inference/src/counts.ts';
import { ModelSet } from '../../modules/inference/src/models/model-set.ts';
import { wantedModels } from '../../modules/inference/src/models/wanted-models.ts';
import { InferencePipeline } from '../../modules/inference/src/pipeline.ts';
import { aRoute } from '../../modules/inference/src/testing/a-route.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';
import { ApiRig } from '../../modules/inference/src/testing/api-rig.ts';
import { aBatch, anAsset } from '../../modules/inference/src/testing/builders.ts';
import { writeBundle } from '../../modules/inference/src/testing/write-bundle.ts';

const engine = anEngine();
const SWAPS = Number(process.env.HOLDFAST_SWAPS ?? 20);
const PER_SECOND = 500;
/** What each version makes of the window [5, 0]. */
const ANSWER: Record<string, number> = { 1: 5, 2: 0.5 };
const log = { error() {}, warn() {}, info() {}, debug() {} };
const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };

let set: ModelSet;
let rig: ApiRig;
let pipeline: InferencePipeline;
afterEach(async () => {
  await rig.stop();
  await pipeline.stop();
  await set.close();
});

const write = (version: '1' | '2'): string =>
  writeBundle(temporaryFolder('bundle'), {
    model: version === '1' ? 'sum' : 'lookup',
    signals: ['a', 'b'],
    golden: [{ name: 'five', input: [[5, 0]], score: ANSWER[version]! }],
    manifest: { name: 'm', version },
  });

it(`${SWAPS} swaps under load fail no request, leave no row unscored and mix no versions`, async () => {
  set = new ModelSet({
    dataDir: temporaryFolder('data'),
    fetch: fetchBundle,
    verify: (folder) => verifyBundle(folder, NO_KEYS),
    load: (folder, onStep) => loadModel({ engine, folder, onStep }),
    budget: () => ({}),
    spareBytes: () => 0,
    ...{ log, clock, metrics: new Registry(), onChange() {} },
  });
  const bundles = [write('1'), write('2')] as const;
  const want = (version: number): void =>
    set.want(wantedModels({ pump: { ref: bundles[version - 1]!, role: 'active' } }, undefined));
  await set.start({}, false);
  want(1);
  await until(() => set.actives().length === 1);
  rig = await ApiRig.start({ catalog: set });

  const route = routeTraffic();
  const http = requests();
  for (let swap = 1; swap <= SWAPS; swap += 1) {
    const version = String((swap % 2) + 1);
    const seen = http.answers[version] ?? 0;
    want((swap % 2) + 1);
    await until(
      () =>
        set.actives()[0]?.model.identity.version === version &&
        (http.answers[version] ?? 0) > seen + 50,
    );
  }
  await Promise.all([http.stop(), route.stop()]);
  const { answers, failures } = http;
  const total = Object.values(answers).reduce((sum, count) => sum + count, 0);
  console.info(
    `${SWAPS} swaps in ${Math.round(http.seconds() * 10) / 10} s: ${total} requests (${Math.round(total / http.seconds())}/s), ${route.rows} rows of the route, slowest request ${Math.round(http.slowestMs)} ms`,
  );
  expect(failures).toEqual([]);
  expect(Object.keys(answers).sort()).toEqual(['1', '2']);
  expect(route.wrong).toEqual([]);
  expect([...route.versions].sort()).toEqual(['1', '2']);
  expect(set.counts.swaps).toBe(SWAPS + 1);
});

/** Some requests every 10 ms, whether or not those before were answered. */
function requests() {
  const startMs = performance.now();
  let due = 0;
  const open = new Set<Promise<void>>();
  const found = {
    answers: {} as Record<string, number>,
    failures: [] as string[],
    slowestMs: 0,
    seconds: () => (performance.now() - startMs) / 1_000,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
  const input = { name: 'window', datatype: 'FP32', shape: [1, 1, 2], data: [5, 0] };
  const one = async (at: number): Promise<void> => {
    const beganMs = performance.now();
    // Between the first and the last byte of the body.
    const pauseMs = at % 40;
    const answer = await rig.call('POST', '/v2/models/m/infer', {
      body: { inputs: [input] },
      pauseMs,
    });
    found.slowestMs = Math.max(found.slowestMs, performance.now() - beganMs - pauseMs);
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.error}`);
    const { model_version: version, outputs } = answer.json<{
      model_version: string;
      outputs: { name: string; data: [number] }[];
    }>();
    const [score] = outputs.find(({ name }) => name === 'score')!.data;
    if (Math.abs(score - ANSWER[version]!) > 1e-4) throw new Error(`${version} gave ${score}`);
    found.answers[version] = (found.answers[version] ?? 0) + 1;
  };
  const timer = setInterval(() => {
    for (; due < found.seconds() * PER_SECOND; due += 1) {
      const asked: Promise<void> = one(due)
        .catch((error: Error) => void found.failures.push(error.message))
        .finally(() => open.delete(asked));
      open.add(asked);
    }
  }, 10);
  return found;
}

/** Batches one after the other, each of 200 rows; every outcome is looked at. */
function routeTraffic() {
  const found = { rows: 0, wrong: [] as string[], versions: new Set<string>(), stop };
  const judge = (message: ScoresMessage): void => {
    const { model, assets, rejected, unscored } = message;
    const version = model?.version ?? 'none';
    found.versions.add(version);
    const scores = assets.flatMap((asset) => asset.score);
    found.rows += scores.length;
    const wrong = scores.filter((score) => score !== ANSWER[version]).length;
    const others = rejected.length + unscored.length;
    if (wrong + others + 200 - scores.length > 0) {
      found.wrong.push(`${version}: ${wrong} wrong, ${others} not scored`);
    }
  };
  const metrics = new Registry();
  pipeline = new InferencePipeline({
    settings: schema.parse({}),
    send: async ({ output, body }) => {
      if (output === 'scores') judge(JSON.parse(body) as ScoresMessage);
    },
    ...{ clock, log, counts: new Counts(metrics, () => 0) },
    route: aRoute(() => ({ actives: set.actives() }), {
      lost: ({ model }, reason) => set.lost(model, reason),
    }),
  });
  const rows = Array.from({ length: 200 }, () => [5, 0]);
  const body = Buffer.from(JSON.stringify(aBatch([anAsset({ rows })])));
  let stopped = false;
  const ended = (async () => {
    while (!stopped) {
      pipeline.accept(body);
      await pipeline.idle();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  function stop(): Promise<void> {
    stopped = true;
    return ended;
  }
  return found;
}
