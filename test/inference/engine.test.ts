/**
 * Goal: any model runs through the engine as it would alone. Method: real workers with the real runtime; models that
 * give back what they get, of every data type, and tiny ones of the fixtures.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { afterEach, expect, it } from '@jest/globals';
import type { Datatype, TensorData } from '../../modules/inference/src/domain/tensor.ts';
import type { Engine } from '../../modules/inference/src/engine/engine.ts';
import { anEngine } from '../../modules/inference/src/testing/an-engine.ts';
import { identityModel } from '../../modules/inference/src/testing/identity-model.ts';

let engine: Engine;
afterEach(() => engine.close());

async function echo(datatype: Datatype, settings: Parameters<typeof anEngine>[0] = {}) {
  engine = anEngine(settings);
  const modelPath = join(temporaryFolder('model'), 'model.onnx');
  const pair = { input: 'x', output: 'y', datatype, shape: ['batch', 2] };
  writeFileSync(modelPath, identityModel([pair]));
  return engine.open({ name: datatype, modelPath });
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const VALUES: readonly [Datatype, TensorData][] = [
  ['BOOL', Uint8Array.of(1, 0)],
  ['UINT8', Uint8Array.of(0, 255)],
  ['UINT16', Uint16Array.of(0, 65_535)],
  ['UINT32', Uint32Array.of(0, 2 ** 32 - 1)],
  ['UINT64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
  ['INT8', Int8Array.of(-128, 127)],
  ['INT16', Int16Array.of(-32_768, 32_767)],
  ['INT32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1)],
  ['INT64', BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n)],
  ['FP16', Uint16Array.of(0x3c00, 0x7bff)],
  ['FP32', Float32Array.of(-1.5, 3e38)],
  ['FP64', Float64Array.of(Math.PI, -1e308)],
  ['BYTES', [text('Grüße'), text('')]],
];

it.each(VALUES)(
  'a tensor of %s goes through a worker and comes back as it was',
  async (datatype, data) => {
    const model = await echo(datatype);
    expect(model.inputs).toEqual([{ name: 'x', datatype, shape: [-1, 2] }]);
    const copy = Array.isArray(data) ? data : (data as Float32Array).slice();
    const { outputs } = await model.run({
      inputs: [{ name: 'x', datatype, shape: [1, 2], data: copy }],
      work: 'http',
    });
    expect(outputs).toHaveLength(1);
    expect(outputs[0]).toMatchObject({ name: 'y', datatype, shape: [1, 2] });
    expect([...outputs[0]!.data].map(String)).toEqual([...data].map(String));
  },
);

const row = (value: number) => ({
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [1, 2], data: Float32Array.of(value, -value) } as const,
  ],
  work: 'http' as const,
});

it('requests that wait for one model go into few runs, and each gets its own rows back', async () => {
  const model = await echo('FP32', { settings: { joinRowsMax: 64 } });
  // Until answers of joined requests were seen to be those of the requests alone, each runs alone as well.
  for (let round = 0; round < 3; round += 1) {
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => model.run(row(index))),
    );
    for (const [index, { outputs }] of results.entries()) {
      expect([...outputs[0]!.data]).toEqual([index, -index]);
    }
    if (round === 2) expect(Math.max(...results.map(({ batch }) => batch))).toBe(64);
  }
});

it('one request alone is one run at once, of its own rows', async () => {
  const model = await echo('FP32');
  const { batch, timing } = await model.run(row(1));
  expect(batch).toBe(1);
  expect(timing.inferNs).toBeGreaterThan(0);
});

it('a request is refused when too many wait, and when its time is over', async () => {
  const model = await echo('FP32', { settings: { requestsWaitingMax: 2, joinRowsMax: 1 } });
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => model.run(row(1))));
  const codes = results.map((result) =>
    result.status === 'fulfilled' ? 'ok' : (result.reason as { code: string }).code,
  );
  expect(new Set(codes)).toEqual(new Set(['ok', 'QUEUE_FULL']));
  const full = results.find((result) => result.status === 'rejected') as PromiseRejectedResult;
  expect((full.reason as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
  const late = [model.run(row(1)), model.run({ ...row(1), deadlineMs: 0 })];
  await expect(late[1]).rejects.toMatchObject({ code: 'DEADLINE' });
  await late[0];
});

it('a request with another shape is refused with what is wrong, and others go on', async () => {
  const model = await echo('FP32');
  const wrong = { name: 'x', datatype: 'FP32', shape: [1, 3], data: new Float32Array(3) } as const;
  await expect(model.run({ inputs: [wrong], work: 'http' })).rejects.toMatchObject({
    code: 'RUN_FAILED',
    message: 'input "x" has shape [1, 3], must be [-1, 2]',
  });
  expect((await model.run(row(2))).batch).toBe(1);
});

it('a model that is closed ends what it was given, and refuses what comes later', async () => {
  const model = await echo('FP32');
  const given = Array.from({ length: 20 }, (_, index) => model.run(row(index)));
  const closed = model.close();
  await expect(model.run(row(1))).rejects.toMatchObject({ code: 'SCORER_UNAVAILABLE' });
  expect((await Promise.all(given)).map(({ outputs }) => outputs[0]!.data[0])).toEqual(
    given.map((_, index) => index),
  );
  await closed;
});
