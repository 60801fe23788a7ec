import { expect, it } from '@jest/globals';
import type { RunResult } from '../domain/model-runner.ts';
import { Statistics } from './statistics.ts';

const model = { name: 'm', version: '1' };
const timing = { queueNs: 10, inputNs: 20, inferNs: 30, outputNs: 40 };
const result = (batch: number): RunResult => ({ outputs: [], timing, batch });

it('requests that shared a run are one execution, whose time counts once', () => {
  const statistics = new Statistics();
  for (const rows of [1, 2, 1]) {
    statistics.succeeded(model, { result: result(4), rows, totalNs: 100, nowMs: 5 });
  }
  statistics.succeeded(model, { result: result(1), rows: 1, totalNs: 100, nowMs: 6 });
  expect(statistics.of(model)).toMatchObject({
    last_inference: 6,
    inference_count: 5,
    execution_count: 2,
    inference_stats: { success: { count: 4, ns: 400 }, compute_infer: { count: 4, ns: 120 } },
    batch_stats: [
      { batch_size: 1, compute_infer: { count: 1, ns: 30 } },
      { batch_size: 4, compute_infer: { count: 1, ns: 30 } },
    ],
  });
});

it('models that came and went are forgotten, the oldest first', () => {
  const statistics = new Statistics();
  for (let version = 0; version <= 256; version += 1) {
    statistics.failed({ name: 'm', version: String(version) }, 1);
  }
  expect(statistics.of({ name: 'm', version: '0' })).toMatchObject({
    inference_stats: { fail: { count: 0 } },
  });
  expect(statistics.of({ name: 'm', version: '256' })).toMatchObject({
    inference_stats: { fail: { count: 1 } },
  });
});
