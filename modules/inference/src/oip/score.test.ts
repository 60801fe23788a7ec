import type { BundleManifest } from '@holdfast/contracts';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ModelRunner, RunRequest, RunResult } from '../domain/model-runner.ts';
import type { Tensor } from '../domain/tensor.ts';
import { ScorerError } from '../errors.ts';
import { ApiRig } from '../testing/api-rig.ts';
import { aManifest } from '../testing/builders.ts';
import { anEntry } from '../testing/fake-catalog.ts';

/** The score is the sum of the window; shares are the parts of its newest row. */
class SumRunner implements ModelRunner {
  readonly inputs = [];
  readonly outputs = [];
  failNext: Error | undefined;

  async run({ inputs }: RunRequest): Promise<RunResult> {
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
    const { shape, data } = inputs[0]!;
    const [count, rows, signals] = shape as [number, number, number];
    const score = new Float32Array(count);
    const shares = new Float32Array(count * signals);
    for (let window = 0; window < count; window += 1) {
      const width = rows * signals;
      const values = (data as Float32Array).subarray(window * width, (window + 1) * width);
      score[window] = values.reduce((sum, value) => sum + value, 0);
      const newest = values.subarray(width - signals);
      const total = newest.reduce((sum, value) => sum + value, 0);
      shares.set(
        newest.map((value) => value / total),
        window * signals,
      );
    }
    const outputs: Tensor[] = [
      { name: 'score', datatype: 'FP32', shape: [count], data: score },
      { name: 'contributions', datatype: 'FP32', shape: [count, signals], data: shares },
    ];
    const timing = { queueNs: 0, inputNs: 0, inferNs: 0, outputNs: 0 };
    return { outputs, timing, batch: count };
  }
}

let rig: ApiRig;
let runner: SumRunner;
beforeEach(async () => {
  runner = new SumRunner();
});
afterEach(() => rig.stop());

/** Levels at 50 and 100, signals a and b. */
async function start(inputs: Partial<BundleManifest['inputs']> = {}, parts = {}): Promise<void> {
  rig = await ApiRig.start(parts);
  rig.catalog.list.push(anEntry('other', runner, { role: 'serve', manifest: aManifest() }));
  rig.catalog.list.push(anEntry('m', runner, { role: 'active', manifest: aManifest(inputs) }));
}
const score = (body: unknown) => rig.post('/score', body);

describe('/score', () => {
  it.each([
    [
      'rows by name',
      {
        input_data: [
          { a: 1, b: 2 },
          { b: 40, a: 20, other: 9 },
        ],
      },
    ],
    [
      'rows in the order of the model',
      {
        data: [
          [1, 2],
          [20, 40],
        ],
      },
    ],
    [
      'a table',
      {
        inputs: {
          columns: ['b', 'x', 'a'],
          index: [0, 1],
          data: [
            [2, 0, 1],
            [40, 0, 20],
          ],
        },
      },
    ],
  ])('takes %s', async (_, body) => {
    await start();
    const answer = await score(body);
    expect(answer.json()).toEqual({
      model: { name: 'm', version: '1', digest: `sha256:${'a'.repeat(64)}` },
      scores: [3, 60],
      levels: [0, 1],
      contributions: [null, { a: expect.closeTo(1 / 3, 3), b: expect.closeTo(2 / 3, 3) }],
      problems: [],
    });
  });

  it('takes one row alone, by name or as numbers', async () => {
    await start();
    for (const data of [{ a: 60, b: 50 }, [60, 50]]) {
      expect((await score({ data })).json()).toMatchObject({ scores: [110], levels: [2] });
    }
  });

  it('scores each row with the rows before it, and says which could not be scored', async () => {
    await start({
      rows: 2,
      signals: [
        { name: 'a', unit: '1' },
        { name: 'b', unit: '1', max: 100 },
      ],
    });
    const data = [
      [1, 1],
      [2, 2],
      [3, null],
      [4, 4],
      [5, 5],
      [6, 101],
    ];
    expect((await score({ data })).json()).toMatchObject({
      scores: [null, 6, null, null, 18, null],
      levels: [null, 0, null, null, 0, null],
      problems: [
        { row: 0, code: 'window-filling' },
        { row: 2, code: 'missing-value' },
        { row: 3, code: 'window-filling' },
        { row: 5, code: 'OUT_OF_RANGE', detail: expect.any(String) },
      ],
    });
  });

  it('takes windows, and gives one score for each', async () => {
    await start({ rows: 2 });
    const data = [
      [
        [1, 1],
        [2, 2],
      ],
      [
        [3, 3],
        [4, 4],
      ],
    ];
    expect((await score({ data })).json()).toMatchObject({ scores: [6, 14], problems: [] });
  });

  it('takes times, which may break a window', async () => {
    await start({ rows: 2, gapMsMax: 5_000 });
    const data = [
      [1, 1],
      [2, 2],
      [3, 3],
    ];
    const t = [1_700_000_000_000, 1_700_000_001_000, 1_700_000_009_000];
    expect((await score({ data, t })).json()).toMatchObject({ scores: [null, 6, null] });
  });

  it.each([
    [{}, 'body: must have one of input_data, data, inputs, has none'],
    [{ data: [[1, 2]], inputs: [] }, 'has data and inputs'],
    [{ data: [] }, 'data: has no rows'],
    [{ data: 7 }, 'data: 7 is not allowed, must be an object'],
    [{ data: [[1]] }, 'data[0]: has 1 values, must have 2: a, b'],
    [{ data: [{ a: 1 }] }, 'data[0]["b"]: is missing, must be a number or null'],
    [{ data: [{ a: 1, b: 'x' }] }, 'data[0]["b"]: "x" is not allowed, must be a number or null'],
    [{ data: { columns: ['a'], data: [[1]] } }, 'data.columns: signal "b" of the model is missing'],
    [{ data: [[1, 2]], t: [1, 2] }, 't: has 2 times, must have one for each of the rows'],
    [{ data: [[1, 2]], t: ['now'] }, 't[0]: "now" is not allowed, must be ms since 1970'],
    [{ data: Array(10_001).fill([1, 2]) }, 'data: has 10001 rows, must be at most 10000'],
  ])('refuses %j', async (body, message) => {
    await start();
    const answer = await score(body);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });

  it('gives no score for what is not a number', async () => {
    await start();
    const answer = await score({
      data: [
        [3e38, 3e38],
        [1, 2],
      ],
    });
    expect(answer.json()).toMatchObject({
      scores: [null, 3],
      problems: [{ row: 0, code: 'NON_FINITE_SCORE' }],
    });
  });

  it('asks the next model when the model was exchanged just now', async () => {
    await start();
    runner.failNext = new ScorerError('SCORER_UNAVAILABLE', 'closed');
    expect((await score({ data: [[1, 2]] })).json()).toMatchObject({ scores: [3] });
  });

  it('says so when there is no active model', async () => {
    await start();
    rig.catalog.list.length = 1;
    const answer = await score({ data: [[1, 2]] });
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '2']);
  });

  it('gives pictures to the model for pictures', async () => {
    const seen: string[] = [];
    const scoreImage = async (_: unknown, image: Buffer) => {
      seen.push(image.toString());
      if (image.length < 5)
        throw Object.assign(new Error('is no picture'), { code: 'IMAGE_UNREADABLE' });
      return { classes: ['dented'] };
    };
    await start({}, { scoreImage });
    const send = (text: string) =>
      rig.call('POST', '/score', {
        body: Buffer.from(text),
        headers: { 'content-type': 'image/png' },
      });
    expect((await send('a picture')).status).toBe(503);
    const image = {} as NonNullable<BundleManifest['inputs']['image']>;
    rig.catalog.list.push(
      anEntry('pictures', runner, { role: 'active', manifest: aManifest({ image }) }),
    );
    expect((await send('a picture')).json()).toMatchObject({
      model: { name: 'pictures' },
      classes: ['dented'],
    });
    const bad = await send('x');
    expect([bad.status, bad.error]).toEqual([400, 'body: is no picture']);
    expect(seen).toEqual(['a picture', 'x']);
  });
});
