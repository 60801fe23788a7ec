import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { PERIOD_MS } from '@holdfast/pump-loop';
import { until } from '@holdfast/testkit';
import { writeBundle } from '../../../../modules/inference/src/testing/write-bundle.ts';
import { drained } from '../../../../scripts/demo/drained.ts';
import { readBack } from '../../../../scripts/demo/read-back.ts';
import { CONTAINER, startSite, untilReady } from '../../../../scripts/demo/site.ts';
import { readStatus } from '../../../../scripts/demo/status.ts';
import { MODULES } from '../../../../scripts/steps.ts';
import { must } from '../install.ts';
import { MODEL } from '../model.ts';
import type { Peer, Place, RunningPeer } from '../peer.ts';
import { ASSETS, numberOfReading, reading, SIGNALS, START_MS } from '../readings.ts';
import { HttpSource } from '../sources.ts';

/** Where the bundles are that the images hold: built once a run. */
const BUNDLES = 'holdfast';
/** The score of eight zeros, by which the model is verified before it scores. */
const GOLDEN = { name: 'zero', input: [Array(8).fill(0) as number[]], score: 0.030776 };

async function install(cache: string): Promise<string> {
  for (const module of MODULES) {
    const out = path.join(cache, BUNDLES, module);
    await must(process.execPath, ['scripts/build.ts', module, '--out', out]);
  }
  return 'this commit';
}

/**
 * When something is broken, scores may leave the site too, and each reading is looked for in the blobs: the copies of
 * scores in the forwarder's own database are a ring, the first to go when the disk is full.
 */
const SCORES_LEAVE = {
  forwarder: {
    egress: { allow: ['anomaly', 'rollup', 'gap', 'scores'] },
    upload: { intervalSecs: 1 },
  },
};

async function start({ cache, store, work, disturbed }: Place): Promise<RunningPeer> {
  const model = path.join(work, 'model');
  mkdirSync(model);
  writeBundle(
    model,
    {
      ...{ model: path.basename(MODEL, '.onnx'), signals: [...SIGNALS], golden: [GOLDEN] },
      // Far above what the model gives for these readings: a load in which every row is an alarm is another load.
      manifest: { levels: { warning: 1e12, alarm: 2e12 } },
    },
    path.dirname(MODEL),
  );
  const site = await startSite({
    ...{ folder: work, stateDir: path.join(store, 'edge'), site: 'peers', model },
    ...{ bundles: path.join(cache, BUNDLES), backoffScale: 0.02, say: () => {} },
    ...(disturbed ? { settings: SCORES_LEAVE } : {}),
  });
  await untilReady(site, MODULES, 60_000);
  // Before its first settings the forwarder denies scores, and readings could not be found.
  await until(
    async () =>
      ((await readStatus<{ settingsVersion: number }>(site.url('forwarder')))?.settingsVersion ??
        0) > 0,
  );
  const stored = async (sent: number): Promise<number[]> => {
    const numbers: number[] = [];
    if (disturbed) {
      await drained(site);
      await readBack(site.storage.connectionString(), CONTAINER, (kind, row) => {
        if (kind === 'scores') numbers.push(numberOfReading(String(row.asset), Number(row.t)));
      });
      return numbers;
    }
    for (let asset = 0; asset < ASSETS; asset += 1) {
      const name = reading(asset).asset;
      for await (const t of storedTimes(site.url('forwarder'), name, reading(sent).t))
        numbers.push(numberOfReading(name, t));
    }
    return numbers;
  };
  return {
    source: () =>
      new HttpSource({
        port: Number(new URL(site.url('ingest')).port),
        path: '/v1/readings',
        headers: { authorization: `Bearer ${site.token}` },
      }),
    processes: () => site.edge.modules().map(({ id, pid, restarts }) => ({ id, pid, restarts })),
    kill: (id) => site.edge.kill(id, 'SIGKILL'),
    storedSoFar: async () => {
      const { forwarder } = await site.status();
      return forwarder?.applied;
    },
    stored,
    stop: () => site.stop(),
  };
}

/** Rows that are asked for at once: fewer than the API gives, so that a reading stored twice would still be seen. */
const PAGE_ROWS = 5_000;

/** Times of all scores of one asset, from the forwarder's own API. */
async function* storedTimes(url: string, asset: string, end: number): AsyncGenerator<number> {
  for (let from = START_MS; from <= end; from += PAGE_ROWS * PERIOD_MS) {
    const to = from + PAGE_ROWS * PERIOD_MS - 1;
    const query = new URLSearchParams({ asset, limit: '10000', from: `${from}`, to: `${to}` });
    const response = await fetch(`${url}/v1/scores?${query}`);
    if (!response.ok) throw new Error(`scores: ${response.status} ${await response.text()}`);
    const { scores } = (await response.json()) as { scores: { t: number }[] };
    for (const { t } of scores) yield t;
  }
}

/** The whole site. It has no faster, less durable configuration: its default is its most durable one. */
export const holdfast: Peer = {
  name: 'holdfast',
  product: 'Holdfast, a whole site',
  configuration: 'most durable',
  acknowledges: '202 after the fsync',
  setup:
    'as shipped: ingest, inference, forwarder and hub as processes of their own, TLS between them; journal and store in SQLite WAL, synced, group commit; also detects, rolls up and uploads; where losses are counted, scores leave the site too, and each reading is looked for in the blobs',
  scores: true,
  install,
  start,
};
