/*
 * Goal: modules that know nothing but the official SDK work on the local edge as on a device. Method: a template of
 * its own with two modules in plain JavaScript, started as processes; numbers go in by HTTP, through two routes, and
 * come back only if the route's condition on property and body holds.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '@holdfast/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import { post, ready, type Scene, startScene, statusOf, stopScenes } from './scene.ts';

afterEach(stopScenes);

const file = ({ stateDir }: Scene): string =>
  path.join(stateDir, 'volumes', 'counter-data', 'averages.jsonl');

const lines = (scene: Scene): unknown[] =>
  existsSync(file(scene))
    ? readFileSync(file(scene), 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line))
    : [];

describe("a stranger's modules", () => {
  it('get, answer and route messages, with their container turned into this machine', async () => {
    const scene = await startScene();
    const { edge } = scene;
    await ready(edge);
    expect(await post(edge, [1, 2])).toBe(202);
    expect(await post(edge, [200, 101.26])).toBe(202);
    await until(() => lines(scene).length > 0);
    expect(lines(scene)).toEqual([{ input: 'high', body: { mean: 150.6 }, level: 'high' }]);
    expect(statusOf(edge, 'counter').ports.HTTP_PORT).toBeGreaterThan(0);
  });

  it('have a twin and direct methods', async () => {
    const { edge } = await startScene();
    await ready(edge);
    await until(async () => (await edge.reported('averager')).decimals === 1);
    await edge.patchTwin('averager', { decimals: 3 });
    await until(async () => (await edge.reported('averager')).decimals === 3);
    expect((await edge.twin('averager')).desired.decimals).toBe(3);
    expect(await edge.invokeMethod('averager', 'received', { a: [1] })).toEqual({
      status: 200,
      payload: { received: 0, asked: { a: [1] } },
    });
  });

  it('refuse a method nobody answers, and a module that is not there, by name', async () => {
    const { edge } = await startScene();
    await ready(edge);
    await expect(edge.invokeMethod('nobody', 'x')).rejects.toMatchObject({
      code: 'EDGE_MODULE_UNKNOWN',
    });
    await expect(edge.invokeMethod('counter', 'x')).rejects.toMatchObject({ code: 'EDGE_REFUSED' });
  });
});
