import { statSync } from 'node:fs';
/**
 * The forwarder as a whole, on a real database, without hub and store: however a stream is cut into batches,
 * repeated, reordered and interrupted by crashes, everything is applied exactly once.
 */

import {
  type AnomalyRecord,
  type LANES,
  type Level,
  ReceiptsMessage,
  type ScoresMessage,
  writeScoreNotes,
} from '@holdfast/contracts';
import type { RunningModule } from '@holdfast/module-host';
import { seeded, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Settings, settings as schema } from './config.ts';
import { startForwarder } from './forwarder.ts';
import { aHost, type FakeHost } from './testing/fake-host.ts';

const MODEL = { name: 'm', version: '1', digest: `sha256:${'1'.repeat(64)}` };
const START_MS = Date.UTC(2026, 10, 23, 12);
const ROWS = 120;

interface Row {
  outcome: 'scored' | 'rejected' | 'unscored';
  asset: string;
  t: number;
  level: Level;
}

/** A batch of the rows `first..last`; row `n` of the stream is `rows[n - 1]`. */
function batch(rows: readonly Row[], first: number, last: number): ScoresMessage {
  const message: ScoresMessage = {
    v: 1,
    kind: 'scores',
    stream: 'ingest-0',
    epoch: 'e1',
    first,
    last,
    base: 0,
    model: MODEL,
    acceptedMs: START_MS,
    assets: [],
    rejected: [],
    unscored: [],
    want: [last],
  };
  for (let seq = first; seq <= last; seq++) {
    const { outcome, asset, t, level } = rows[seq - 1]!;
    if (outcome === 'rejected') message.rejected.push({ seq, asset, t, code: 'bad', detail: '' });
    else if (outcome === 'unscored') {
      message.unscored.push({ asset, code: 'none', seq: [seq], t: [t] });
    } else {
      const known = message.assets.find((entry) => entry.asset === asset);
      const entry = known ?? { asset, seq: [], t: [], score: [], level: [] };
      if (known === undefined) message.assets.push(entry);
      entry.seq.push(seq);
      entry.t.push(t);
      entry.score.push(level + seq / 1000);
      entry.level.push(level);
    }
  }
  return message;
}

/** A whole stream from one number: shrinking rows one by one would take minutes and tell nothing. */
const anyRows: fc.Arbitrary<Row[]> = fc.nat().map((seed) => {
  const random = seeded(seed);
  return Array.from({ length: ROWS }, () => ({
    outcome: random.pick(['scored', 'scored', 'scored', 'rejected', 'unscored'] as const),
    asset: random.pick(['pump-1', 'pump-2', 'pump-3']),
    t: START_MS + random.int(0, 400_000),
    level: random.pick<Level>([0, 0, 1, 2, 2]),
  }));
});

type Step = { size: number; repeat: boolean } | 'crash' | 'flush' | 'ahead';
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ size: fc.integer({ min: 1, max: 30 }), repeat: fc.boolean() }),
  },
  fc.constant('crash' as const),
  fc.constant('flush' as const),
  fc.constant('ahead' as const),
);

const settings = (given: object = {}) => schema.parse(given);

class Site {
  readonly folder = temporaryFolder('forwarder');
  fake!: FakeHost;
  module!: RunningModule<Settings>;
  readonly #settings: Settings;
  readonly #settingsVersion: number;

  constructor(given: Settings = settings(), settingsVersion = 1) {
    this.#settings = given;
    this.#settingsVersion = settingsVersion;
  }

  async start(): Promise<this> {
    this.fake = aHost(this.folder, this.#settings, { settingsVersion: this.#settingsVersion });
    this.module = await startForwarder(this.fake.host);
    sites.add(this);
    return this;
  }

  async stop(): Promise<void> {
    sites.delete(this);
    await this.module.stop();
    await this.fake.close();
  }

  send(message: unknown, properties: Record<string, string> = {}): void {
    const body = Buffer.from(typeof message === 'string' ? message : JSON.stringify(message));
    this.module.inputs.scores!({ input: 'scores', body, properties });
  }

  get status(): Status {
    return this.module.status() as unknown as Status;
  }

  async get(path: string): Promise<Record<string, unknown[]>> {
    const { status, body } = await this.fake.get(path);
    expect(status).toBe(200);
    return body as Record<string, unknown[]>;
  }
}

interface Status {
  applied: number;
  waiting: string | null;
  scored: number;
  rejected: number;
  unscored: number;
  duplicates: number;
  parked: number;
  refused: Record<string, number>;
  anomalies: { open: number; total: number };
  rollups: number;
  streams: { stream: string; epoch: string; through: number }[];
  lanes: Record<(typeof LANES)[number], Record<string, number>>;
  link: string;
  lastError?: string;
}

const sites = new Set<Site>();
afterEach(async () => {
  for (const site of sites) await site.stop();
});

interface Sums {
  scored: number;
  rejected: number;
  unscored: number;
}

async function play(rows: readonly Row[], steps: readonly Step[]): Promise<Site> {
  let site = await new Site().start();
  let next = 1;
  for (const step of [...steps, { size: ROWS, repeat: false }]) {
    if (step === 'crash') {
      // What the process held in memory is gone; the files are as the last commit left them.
      const { folder } = site;
      await site.stop();
      site = new Site();
      Object.assign(site, { folder });
      await site.start();
    } else if (step === 'flush') await site.module.flush();
    else if (step === 'ahead') {
      if (next + 1 <= ROWS) site.send(batch(rows, next + 1, Math.min(ROWS, next + 5)));
    } else if (next <= ROWS) {
      const last = Math.min(ROWS, next + step.size - 1);
      // A repeat begins before the position, so that its beginning must be cut off.
      site.send(batch(rows, step.repeat ? Math.max(1, next - 7) : next, last));
      if (step.repeat) site.send(batch(rows, Math.max(1, next - 7), last));
      next = Math.max(last, site.status.streams[0]?.through ?? 0) + 1;
    }
  }
  return site;
}

/** By id: which asset of a batch comes first is no matter. */
async function anomaliesOf(site: Site): Promise<AnomalyRecord[]> {
  const { anomalies } = await site.get('/v1/anomalies?limit=1000');
  return (anomalies as AnomalyRecord[]).sort((a, b) => (a.id < b.id ? -1 : 1));
}

describe('forwarder', () => {
  it('applies every row exactly once, and its rollups add up to it', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, fc.array(anyStep, { maxLength: 15 }), async (rows, steps) => {
        const site = await play(rows, steps);
        await site.module.flush();
        const { status } = site;
        const count = (outcome: Row['outcome']): number =>
          rows.filter((row) => row.outcome === outcome).length;
        const expected = {
          scored: count('scored'),
          rejected: count('rejected'),
          unscored: count('unscored'),
        };
        expect(status).toMatchObject({ applied: ROWS, ...expected });
        const { insights } = (await site.get('/v1/insights?kind=rollup&limit=1000')) as unknown as {
          insights: Sums[];
        };
        const sums = { scored: 0, rejected: 0, unscored: 0 };
        for (const rollup of insights) {
          for (const outcome of ['scored', 'rejected', 'unscored'] as const) {
            sums[outcome] += rollup[outcome];
          }
        }
        expect(sums).toEqual(expected);
        expect(status.lanes.normal).toMatchObject({ produced: insights.length });
        let kept = 0;
        for (const asset of ['pump-1', 'pump-2', 'pump-3']) {
          kept += ((await site.get(`/v1/scores?asset=${asset}&limit=1000`)).scores ?? []).length;
        }
        expect(kept).toBe(expected.scored);
        await site.stop();
      }),
      { numRuns: 25 },
    );
  });

  it('finds the same anomalies however the stream is cut and interrupted', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, fc.array(anyStep, { maxLength: 12 }), async (rows, steps) => {
        const inOrder = rows.map((row, i) => ({ ...row, t: START_MS + i * 1000 }));
        const whole = await play(inOrder, []);
        const expected = await anomaliesOf(whole);
        await whole.stop();
        const cut = await play(inOrder, steps);
        expect(await anomaliesOf(cut)).toEqual(expected);
        await cut.stop();
      }),
      { numRuns: 15 },
    );
  });

  const calm: Row[] = Array.from({ length: ROWS }, (_, i) => ({
    outcome: 'scored',
    asset: 'pump-1',
    t: START_MS + i * 1000,
    level: 0,
  }));

  const receiptsOf = (site: Site): ReceiptsMessage['receipts'] =>
    site.fake.sent.flatMap(({ body }) => ReceiptsMessage.parse(JSON.parse(body)).receipts);

  it('sends a receipt with the wanted outcomes after the commit, also for a message that came twice', async () => {
    const site = await new Site().start();
    const one = batch(calm, 1, 10);
    site.send(one);
    await until(() => receiptsOf(site).length === 1);
    site.send(one);
    await until(() => receiptsOf(site).length === 2);
    for (const receipt of receiptsOf(site)) {
      expect(receipt).toEqual({
        stream: 'ingest-0',
        epoch: 'e1',
        through: 10,
        results: [{ seq: 10, outcome: 'scored', score: 0.01, level: 0 }],
      });
    }
    expect(site.status).toMatchObject({ applied: 10, duplicates: 1 });
  });

  it('sends a receipt again when the first send failed, joined with newer ones', async () => {
    const site = await new Site().start();
    site.fake.disconnected.now = true;
    site.send(batch(calm, 1, 10));
    await until(() => site.fake.lines.some((line) => line.includes('Receipts could not be sent')));
    site.send(batch(calm, 11, 20));
    site.fake.disconnected.now = false;
    site.module.onConnected?.();
    await until(() => receiptsOf(site).length > 0);
    const [receipt] = receiptsOf(site);
    expect(receipt?.through).toBe(20);
    expect(receipt?.results?.map(({ seq }) => seq)).toEqual([10, 20]);
  });

  it('says nothing about outcomes of a batch that is parked', async () => {
    const site = await new Site().start();
    site.send(batch(calm, 11, 20));
    site.send(batch(calm, 11, 20));
    expect(site.status).toMatchObject({ applied: 0, parked: 1 });
    await until(() => receiptsOf(site).length > 0);
    expect(receiptsOf(site).every(({ through, results }) => through === 0 && !results)).toBe(true);
    site.send(batch(calm, 1, 10));
    expect(site.status).toMatchObject({ applied: 20, parked: 0 });
    await until(() => receiptsOf(site).some(({ through }) => through === 20));
  });

  it('commits the gap of a lost store at once, also when the batch that shows it is early', async () => {
    const site = await new Site().start();
    site.send({ ...batch(calm, 31, 40), base: 20 });
    const skipped = { applied: 0, skipped: 20, gaps: 1, parked: 1 };
    expect(site.status).toMatchObject({ ...skipped, streams: [{ through: 20, skipped: 20 }] });
    await until(() => receiptsOf(site).some(({ through }) => through === 20));
    const { folder } = site;
    await site.stop();
    const again = new Site();
    Object.assign(again, { folder });
    await again.start();
    again.send({ ...batch(calm, 21, 40), base: 20 });
    expect(again.status).toMatchObject({ applied: 20, skipped: 20, gaps: 1 });
    expect(again.status.streams).toMatchObject([{ through: 40, skipped: 20 }]);
  });

  it.each([
    ['not-json', '{"v":1', /JSON/],
    ['schema', { ...batch(calm, 1, 2), stream: 'a/b' }, /stream: \\"a\/b\\" is not allowed/],
    ['schema', { ...batch(calm, 1, 2), extra: 1 }, /extra/],
    ['inconsistent', { ...batch(calm, 1, 2), last: 3 }, /rows of 1\.\.3/],
  ])(
    'counts a message that is wrong as %s, says why, and goes on',
    async (reason, message, why) => {
      const site = await new Site().start();
      site.send(message);
      expect(site.status.refused).toEqual({ [reason]: 1 });
      expect(site.fake.lines.join('\n')).toMatch(why);
      site.send(batch(calm, 1, 2));
      expect(site.status.applied).toBe(2);
    },
  );

  it('ends the process when a commit fails, and has applied nothing of it', async () => {
    const site = await new Site().start();
    site.send(batch(calm, 1, 10));
    const { default: Database } = await import('better-sqlite3');
    const other = new Database(`${site.folder}/forwarder.db`);
    other.exec(
      "CREATE TRIGGER broken BEFORE UPDATE ON asset BEGIN SELECT RAISE(FAIL, 'disk'); END",
    );
    expect(() => site.send(batch(calm, 11, 20))).toThrow(
      expect.objectContaining({ code: 'FWD_COMMIT_FAILED' }),
    );
    other.exec('DROP TRIGGER broken');
    other.close();
    expect(site.status).toMatchObject({ applied: 10, streams: [{ through: 10 }] });
    const { folder } = site;
    await site.stop();
    const again = new Site();
    Object.assign(again, { folder });
    await again.start();
    again.send(batch(calm, 11, 20));
    expect(again.status.applied).toBe(20);
    await again.module.flush();
    const { insights } = (await again.get('/v1/insights')) as unknown as { insights: Sums[] };
    expect(insights.reduce((sum, { scored }) => sum + scored, 0)).toBe(20);
  });

  it('books insights under the model that gave the score, also for batches that had to wait', async () => {
    const site = await new Site().start();
    const canary = { ...MODEL, version: '2', digest: `sha256:${'2'.repeat(64)}` };
    const rows = (asset: string): Row[] =>
      Array.from({ length: 20 }, (_, i) => ({
        ...{ outcome: 'scored', asset, t: START_MS + i * 1_000, level: 2 },
      }));
    const stream = [...rows('old'), ...rows('new')];
    const models = [{ model: canary, assets: [0] }];
    const notes = { notes: writeScoreNotes({ models })! };
    // Too early, so it is parked with its notes.
    site.send(batch(stream, 21, 40), notes);
    site.send(batch(stream, 1, 20));
    await site.module.flush();
    const { insights } = (await site.get('/v1/insights?kind=rollup')) as unknown as {
      insights: { asset: string; model: { version: string } }[];
    };
    const { anomalies } = (await site.get('/v1/anomalies')) as unknown as {
      anomalies: typeof insights;
    };
    const versions = (records: typeof insights) =>
      records.map(({ asset, model }) => `${asset} ${model.version}`).sort();
    expect(versions(insights)).toEqual(['new 2', 'old 1']);
    expect(versions(anomalies)).toEqual(['new 2', 'old 1']);
  });

  it('forgets what a failed commit had staged', async () => {
    const site = await new Site().start();
    site.send(batch(calm, 1, 30));
    const { default: Database } = await import('better-sqlite3');
    const other = new Database(`${site.folder}/forwarder.db`);
    other.exec(
      "CREATE TRIGGER broken BEFORE UPDATE ON asset BEGIN SELECT RAISE(FAIL, 'disk'); END",
    );
    await expect(site.module.flush()).rejects.toMatchObject({ code: 'FWD_COMMIT_FAILED' });
    other.exec('DROP TRIGGER broken');
    other.close();
    expect(await site.get('/v1/insights')).toEqual({ insights: [] });
    await site.module.flush();
    expect((await site.get('/v1/insights')).insights).toMatchObject([{ scored: 30 }]);
  });

  it('keeps everything at the site unless the policy allows it, and says why nothing is uploaded', async () => {
    const site = await new Site().start();
    site.send(batch(calm, 1, 100));
    await site.module.flush();
    const { lanes, link, lastError } = site.status;
    expect(lanes.normal).toMatchObject({ produced: 2, denied: 2, pending: 0 });
    expect(lanes.bulk).toMatchObject({ produced: 1, denied: 1, pending: 0 });
    expect(link).toBe('unknown');
    expect(lastError).toBe('HOLDFAST_STORAGE_CONNECTION_STRING is not set');
  });

  it('decides what may leave only when the first settings have come', async () => {
    const site = await new Site(settings(), 0).start();
    site.send(batch(calm, 1, 70));
    await site.module.flush();
    expect(site.status.lanes.normal).toMatchObject({ produced: 2, pending: 2, denied: 0 });
    expect(site.status.lanes.bulk).toMatchObject({ produced: 1, denied: 1 });
    site.module.apply(settings({ egress: { allow: ['rollup'] } }));
    site.send(batch(calm, 71, 120));
    await site.module.flush();
    expect(site.status.lanes.normal).toMatchObject({ produced: 3, pending: 3, denied: 0 });
    site.module.apply(settings());
    await until(() => site.status.lanes.normal.denied === 3);
  });

  it('denies what waits when a new policy forbids it', async () => {
    const site = await new Site(settings({ egress: { allow: ['rollup'] } })).start();
    site.send(batch(calm, 1, 100));
    await site.module.flush();
    expect(site.status.lanes.normal).toMatchObject({ produced: 2, pending: 2 });
    site.module.apply(settings());
    await until(() => site.status.lanes.normal.denied === 2);
    expect(site.status.lanes.normal.pending).toBe(0);
  });

  it('makes room in a full outbox and leaves a gap record of it', async () => {
    const small = settings({
      egress: { allow: ['scores', 'rollup', 'gap'] },
      outbox: { bytesMax: 64 * 1024 },
    });
    const site = await new Site(small).start();
    const many = Array.from({ length: 4_000 }, (_, i) => ({ ...calm[0]!, t: START_MS + i * 1000 }));
    for (let first = 1; first < 4_000; first += 100) site.send(batch(many, first, first + 99));
    const { bulk, audit } = site.status.lanes;
    expect(bulk.evicted).toBeGreaterThan(0);
    expect(bulk.produced).toBe(bulk.evicted! + bulk.pending!);
    const { insights } = (await site.get('/v1/insights?kind=gap')) as unknown as {
      insights: { source: string; count: number; reason: string }[];
    };
    expect(insights[0]).toMatchObject({ source: 'lane:bulk', reason: 'outbox full' });
    expect(insights.reduce((sum, { count }) => sum + count, 0)).toBe(bulk.evicted);
    expect(audit.pending).toBe(insights.length);
  });

  it('goes on in place when the volume is below its floor, at the cost of what is only looked at', async () => {
    const floor = settings({ outbox: { freeBytesMin: Number.MAX_SAFE_INTEGER } });
    const site = await new Site(floor).start();
    const many = Array.from({ length: 4_000 }, (_, i) => ({ ...calm[0]!, t: START_MS + i * 1000 }));
    const bytes = () => statSync(`${site.folder}/forwarder.db`).size;
    const before = bytes();
    for (let first = 1; first < 4_000; first += 100) site.send(batch(many, first, first + 99));
    expect(site.status).toMatchObject({ applied: 4_000, waiting: null });
    // A page or two at most, until room is made for them.
    expect(bytes()).toBeLessThanOrEqual(before + 64 * 1024);
  });

  it('overwrites the oldest scores when their room is full, and counts them', async () => {
    const site = await new Site(settings({ insights: { scoreBytesMax: 64 * 1024 } })).start();
    const rows = 40_000;
    const many = Array.from({ length: rows }, (_, i) => ({ ...calm[0]!, t: START_MS + i * 1000 }));
    for (let first = 1; first < rows; first += 2_000) site.send(batch(many, first, first + 1_999));
    const { overwritten } = site.status as unknown as { overwritten: { scores: number } };
    const from = START_MS + (rows - 100) * 1000;
    const { scores } = await site.get(`/v1/scores?asset=pump-1&from=${from}`);
    expect(scores).toHaveLength(100);
    expect(overwritten.scores).toBeGreaterThan(0);
    const all: unknown[] = [];
    for (let at = 0; at < rows; at += 10_000) {
      const range = `from=${START_MS + at * 1000}&to=${START_MS + (at + 10_000) * 1000 - 1}`;
      all.push(...((await site.get(`/v1/scores?asset=pump-1&limit=10000&${range}`)).scores ?? []));
    }
    expect(all).toHaveLength(rows - overwritten.scores);
    const { default: Database } = await import('better-sqlite3');
    const db = new Database(`${site.folder}/forwarder.db`, { readonly: true });
    const bytes = db.prepare('SELECT SUM(LENGTH(body)) FROM segment').pluck().get();
    db.close();
    expect(bytes).toBeLessThanOrEqual(64 * 1024);
    expect(await site.fake.host.metrics.metrics()).toContain(
      `holdfast_forwarder_score_bytes ${bytes}`,
    );
  });

  it('answers a wrong query with what is allowed', async () => {
    const site = await new Site().start();
    const answer = await site.fake.get('/v1/scores?asset=a&limit=0&from=yesterday');
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      code: 'FWD_QUERY_INVALID',
      problems: expect.stringMatching(/from.*milliseconds.*limit.*at least 1/),
    });
  });

  it('writes the lanes, positions and totals into its metrics', async () => {
    const site = await new Site().start();
    site.send(batch(calm, 1, 100));
    const text = await site.fake.host.metrics.metrics();
    expect(text).toMatch(/holdfast_forwarder_lane_records\{lane="bulk",state="denied"\} 1/);
    expect(text).toMatch(/holdfast_forwarder_position\{stream="ingest-0",epoch="e1"\} 100/);
    expect(text).toMatch(/holdfast_forwarder_lane_imbalance 0/);
    expect(text).toMatch(/holdfast_forwarder_total\{what="applied"\} 100/);
  });
});
