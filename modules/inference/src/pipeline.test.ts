import { type DemandsMessage, MESSAGE_BYTES_MAX, type ScoresMessage } from '@holdfast/contracts';
import { FakeClock, seeded, until } from '@holdfast/testkit';
import type { OutboundMessage } from '@holdfast/transport';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Registry } from 'prom-client';
import { type Settings, settings as schema } from './config.ts';
import { Counts } from './counts.ts';
import type { Model } from './domain/score-batch.ts';
import { scoreBatch } from './domain/score-batch.ts';
import { InferencePipeline } from './pipeline.ts';
import { ScoresSender } from './sender.ts';
import { routeOf } from './testing/a-route.ts';
import {
  aBatch,
  aManifest,
  aModel,
  anAsset,
  FakeScorer,
  IDENTITY,
  options,
} from './testing/builders.ts';

const failure = (code: string, retry: string) => Object.assign(new Error(code), { code, retry });
const bodyOf = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const batch = (first: number, given: Parameters<typeof aBatch>[1] = {}) =>
  aBatch([anAsset({ rows: [[first, 0]], seq: [first] })], given);

let clock: FakeClock;
let counts: Counts;
let model: Model | undefined;
let warnings: string[];
let lost: string[];
/** Taken from the front, one for each send; none left: the send succeeds. */
let answers: (() => Promise<void>)[];
let sent: OutboundMessage[];
let pipeline: InferencePipeline;

function build(settings: Partial<Settings> = {}): InferencePipeline {
  const warn = (event: string, fields?: Record<string, unknown>): void => {
    warnings.push(`${event} ${JSON.stringify(fields)}`);
  };
  counts = new Counts(new Registry(), () => 0);
  return new InferencePipeline({
    settings: { ...schema.parse({}), ...settings },
    send: async (message) => {
      await answers.shift()?.();
      sent.push(message);
    },
    clock,
    log: { error: warn, warn, info() {}, debug() {} },
    counts,
    route: routeOf(
      () => model,
      (reason) => {
        lost.push(reason);
        model = undefined;
      },
    ),
  });
}
const scores = (): ScoresMessage[] =>
  sent.filter(({ output }) => output === 'scores').map(({ body }) => JSON.parse(body));
const demands = (): DemandsMessage[] =>
  sent.filter(({ output }) => output === 'demands').map(({ body }) => JSON.parse(body));

beforeEach(() => {
  clock = new FakeClock();
  model = aModel(aManifest());
  warnings = [];
  lost = [];
  answers = [];
  sent = [];
  pipeline = build();
});
afterEach(() => pipeline.stop());

describe('the pipeline', () => {
  it('answers a batch with its scores and counts its rows', async () => {
    pipeline.accept(bodyOf(batch(7)));
    await pipeline.idle();
    expect(scores()).toMatchObject([{ stream: 'ingest-0', first: 7, last: 7 }]);
    expect(sent[0]).toMatchObject({
      properties: { kind: 'scores', v: '1', stream: 'ingest-0' },
      messageId: 'scores/ingest-0/epoch-1/7-7',
    });
    expect(counts).toMatchObject({ batches: 1, rows: 1, scored: 1, dropped: {} });
  });

  it.each([
    ['is not JSON', Buffer.from('{"v":'), 'is not JSON'],
    ['is of another version', bodyOf({ ...batch(1), v: 2 }), 'v: 2 is not allowed, must be 1'],
    [
      'has a text for a value',
      bodyOf({ ...batch(1), assets: [{ ...batch(1).assets[0], values: [['x'], [0]] }] }),
      'assets[0].values[0][0]',
    ],
    ['leaves a row out', bodyOf({ ...batch(1), last: 2 }), 'must be 2, one for each of 1 to 2'],
  ])('drops a message that %s, and says where', async (_, body, text) => {
    pipeline.accept(body);
    pipeline.accept(bodyOf(batch(2)));
    await pipeline.idle();
    expect(counts.dropped).toEqual({ invalid: 1 });
    expect(warnings.join()).toContain(text);
    expect(scores().map(({ first }) => first)).toEqual([2]);
  });

  it('drops the oldest batches beyond what may wait', async () => {
    pipeline = build({ queueBatchesMax: 2, batchesAtOnce: 1 });
    for (let first = 1; first <= 5; first += 1) pipeline.accept(bodyOf(batch(first)));
    await pipeline.idle();
    // The first was already under way.
    expect(scores().map(({ first }) => first)).toEqual([1, 4, 5]);
    expect(counts.dropped).toEqual({ overflow: 2 });
  });

  it('sends the scores of one stream in order, and does not let one stream hold up another', async () => {
    let release = (): void => {};
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    answers = [() => blocked];
    pipeline.accept(bodyOf(batch(1)));
    pipeline.accept(bodyOf(batch(2)));
    pipeline.accept(bodyOf(batch(1, { stream: 'ingest-1' })));
    await until(() => sent.length === 1);
    expect(scores()[0]?.stream).toBe('ingest-1');
    release();
    await pipeline.idle();
    expect(scores().map(({ stream, first }) => [stream, first])).toEqual([
      ['ingest-1', 1],
      ['ingest-0', 1],
      ['ingest-0', 2],
    ]);
  });

  it('sends again what the hub did not take', async () => {
    answers = [
      () => Promise.reject(failure('TRANSPORT_NOT_CONNECTED', 'later')),
      () => Promise.reject(failure('TRANSPORT_TIMEOUT', 'now')),
    ];
    pipeline.accept(bodyOf(batch(1)));
    await pipeline.idle();
    expect(scores()).toHaveLength(1);
    expect(counts).toMatchObject({ batches: 1, dropped: {} });
  });

  it('drops and counts what the hub will never take, and goes on', async () => {
    answers = [() => Promise.reject(failure('TRANSPORT_TOO_LARGE', 'never'))];
    pipeline.accept(bodyOf(batch(1)));
    pipeline.accept(bodyOf(batch(2)));
    await pipeline.idle();
    expect(counts).toMatchObject({ batches: 1, scored: 1, dropped: { 'send-failed': 1 } });
    expect(warnings.join()).toContain('TRANSPORT_TOO_LARGE');
  });

  it('cuts a message that is too large into parts that follow each other', async () => {
    const many = Array.from({ length: 6_000 }, (_, row) => [row + 100.125, row + 0.5]);
    pipeline.accept(bodyOf(aBatch([anAsset({ rows: many })])));
    await pipeline.idle();
    expect(sent.length).toBeGreaterThan(1);
    for (const { body } of sent)
      expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
    let next = 1;
    for (const { first, last } of scores()) {
      expect(first).toBe(next);
      next = last + 1;
    }
    expect(next).toBe(6_001);
    expect(counts).toMatchObject({ batches: 1, rows: 6_000 });
  });
});

describe('a batch with too little lookback', () => {
  beforeEach(() => {
    model = aModel(aManifest({ rows: 5 }));
  });

  it('is dropped, and the demand says how much the model needs', async () => {
    pipeline.accept(bodyOf(batch(1, { lookback: 3 })));
    await pipeline.idle();
    expect(counts).toMatchObject({ batches: 0, dropped: { lookback: 1 } });
    expect(demands()).toEqual([{ v: 1, kind: 'demands', model: model?.identity, lookback: 4 }]);
  });

  it('is scored once it has enough', async () => {
    pipeline.accept(bodyOf(batch(1, { lookback: 4 })));
    await pipeline.idle();
    expect(scores()).toHaveLength(1);
    expect(demands()).toEqual([]);
  });

  it('does not ask again before its time', async () => {
    for (const wait of [0, 1_999, 1]) {
      clock.advance(wait);
      pipeline.accept(bodyOf(batch(1)));
      await pipeline.idle();
    }
    expect(counts.dropped).toEqual({ lookback: 3 });
    expect(demands()).toHaveLength(2);
  });

  it('is answered when there is no model, because then nothing needs it', async () => {
    model = undefined;
    pipeline.accept(bodyOf(batch(1)));
    await pipeline.idle();
    expect(scores()).toMatchObject([{ model: null, unscored: [{ code: 'no-model', seq: [1] }] }]);
    expect(counts.unscored).toBe(1);
  });
});

describe('a message with many models', () => {
  it('is cut until the names of its models fit beside each part', async () => {
    const random = seeded(1);
    const bodies: ScoresMessage[] = [];
    const sender = new ScoresSender(
      async ({ body, properties }) => {
        bodies.push(JSON.parse(body));
        expect(properties?.notes).toBe(`${bodies.at(-1)!.assets.length} named`);
      },
      () => Promise.resolve(),
    );
    const rows = Array.from({ length: 16 }, (_, at) =>
      anAsset({ asset: `p${at}`, rows: [[1, 0]], seq: [at + 1] }),
    );
    const message = await scoreBatch(aBatch(rows), aModel(aManifest()), options);
    const many = Array.from({ length: 9_000 }, () => random.int(0, 1_000_000_000));
    await sender.send(message, {
      lost: undefined,
      models: ({ assets }) => [{ model: IDENTITY, assets: assets.length > 4 ? many : [0] }],
      notes: ({ assets }, models) => `${assets.length} named${models.length === 1 ? '' : '!'}`,
    });
    expect(bodies.map(({ first, last }) => [first, last])).toEqual([
      [1, 4],
      [5, 8],
      [9, 12],
      [13, 16],
    ]);
  });
});

describe('a model that goes', () => {
  it('leaves the rows of its batches unscored, and is given up once', async () => {
    const scorer = new FakeScorer(aManifest().inputs, () => 'SCORER_UNAVAILABLE');
    model = aModel(aManifest(), scorer);
    pipeline.accept(bodyOf(batch(1)));
    pipeline.accept(bodyOf(batch(2)));
    await pipeline.idle();
    expect(scores().map(({ unscored }) => unscored[0]?.code)).toEqual(['no-model', 'no-model']);
    expect(lost).toEqual(['poisoned']);
  });

  it('hands its batch to the one that took its place', async () => {
    const next = aModel(aManifest());
    const scorer = new FakeScorer(aManifest().inputs, () => {
      model = next;
      return 'SCORER_UNAVAILABLE';
    });
    model = aModel(aManifest(), scorer);
    pipeline.accept(bodyOf(batch(1)));
    await pipeline.idle();
    expect(scores()[0]?.assets).toHaveLength(1);
    expect(lost).toEqual([]);
  });
});

describe('stopping', () => {
  it('waits for nothing that cannot be sent', async () => {
    pipeline = build({ batchesAtOnce: 1 });
    const down = () => Promise.reject(failure('TRANSPORT_NOT_CONNECTED', 'later'));
    answers = Array.from({ length: 1_000 }, () => down);
    for (const first of [1, 2, 3]) pipeline.accept(bodyOf(batch(first)));
    await until(() => answers.length < 1_000);
    await pipeline.stop();
    expect(counts).toMatchObject({ batches: 0, dropped: { stopped: 3 } });
    expect(pipeline.queued).toBe(0);
  });
});
