import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ScorerError } from '../errors.ts';
import { ApiRig } from '../testing/api-rig.ts';
import { EchoRunner } from '../testing/echo-runner.ts';
import { anEntry } from '../testing/fake-catalog.ts';

let rig: ApiRig;
let runner: EchoRunner;
beforeAll(async () => {
  rig = await ApiRig.start();
});
afterAll(() => rig.stop());
beforeEach(() => {
  runner = new EchoRunner([{ name: 'x', datatype: 'FP32', shape: [-1, 2] }]);
  rig.catalog.list.splice(0, 10, anEntry('echo', runner));
});

const one = { inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] };

describe('the server', () => {
  it('tells its name and only the extensions that it has, with and without the last slash', async () => {
    const answer = await rig.get('/v2');
    expect(answer.json()).toEqual({
      name: 'holdfast',
      version: '1.2.3',
      extensions: [
        'binary_tensor_data',
        'classification',
        'model_repository',
        'parameters',
        'schedule_policy',
        'statistics',
      ],
    });
    expect((await rig.get('/v2/')).body).toEqual(answer.body);
    expect(answer.headers['content-type']).toBe('application/json');
  });

  it('lives without a model, but is ready with one only', async () => {
    rig.catalog.list.length = 0;
    expect((await rig.get('/v2/health/live')).json()).toEqual({ live: true });
    const before = await rig.get('/v2/health/ready');
    expect(before.status).toBe(503);
    expect(before.json()).toEqual({ live: true, ready: false, error: 'no model is ready' });
    rig.catalog.list.push(anEntry('echo', runner));
    expect((await rig.get('/v2/health/ready')).json()).toEqual({ live: true, ready: true });
  });

  it('serves the OpenAPI document that its answers are held against', async () => {
    expect((await rig.get('/v2/openapi.json')).json()).toMatchObject({ openapi: '3.1.0' });
  });

  it('answers HEAD as GET, without a body', async () => {
    const answer = await rig.call('HEAD', '/v2/health/live');
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
  });

  it.each([
    ['GET', '/v2/unknown', 404, 'path: /v2/unknown is not known, see GET /v2/openapi.json'],
    ['GET', '/v2/models', 404, 'path: /v2/models is not known'],
    ['POST', '/v2/models//infer', 404, 'is not known'],
    ['GET', '/v2/models/echo/infer/', 404, 'is not known'],
    ['GET', '/v2/models/%FF/ready', 400, 'Bad Request'],
    ['GET', '/v2/models/missing', 404, 'model "missing" is not known, there is "echo"'],
    ['GET', '/v2/models/echo/versions/9', 404, 'model "echo" has no version "9", it has "1"'],
    ['POST', '/v2/models/missing/infer', 404, 'model "missing" is not known'],
    ['GET', '/v2/models/missing/stats', 404, 'model "missing" is not known'],
  ])('answers %s %s with %d', async (method, path, status, message) => {
    const answer = await rig.call(method, path);
    expect(answer.status).toBe(status);
    expect(answer.error).toContain(message);
  });

  it.each([
    ['GET', '/v2/models/echo/infer', 'POST'],
    ['DELETE', '/v2/models/echo', 'GET, HEAD'],
    ['POST', '/v2', 'GET, HEAD'],
    ['PROPFIND', '/v2/health/live', 'GET, HEAD'],
    ['OPTIONS', '/score', 'POST'],
  ])('answers %s %s with 405 and what it allows', async (method, path, allow) => {
    const answer = await rig.call(method, path);
    expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
    expect(answer.error).toContain(`method: ${method} is not allowed`);
  });

  it('leaves the other paths of the module as they are', async () => {
    expect(await (await fetch(`${rig.url}/healthz`)).json()).toEqual({ status: 'alive' });
    expect(await (await fetch(`${rig.url}/v3`)).json()).toMatchObject({ statusCode: 404 });
  });
});

describe('a model', () => {
  it('is described with its inputs, outputs and versions', async () => {
    rig.catalog.list.push(anEntry('echo', runner, { version: 'v10', role: 'canary' }));
    const answer = await rig.get('/v2/models/echo/versions/v10');
    expect(answer.json()).toEqual({
      name: 'echo',
      versions: ['1', 'v10'],
      platform: 'onnx_onnxv1',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
      properties: { digest: `sha256:${'a'.repeat(64)}`, version: 'v10', role: 'canary' },
    });
  });

  it('may have a name that must be percent-encoded, and any version', async () => {
    rig.catalog.list.push(anEntry('Pumpe 3 (Süd)+100%', runner, { version: '2026-11-25_b.1+x' }));
    const name = encodeURIComponent('Pumpe 3 (Süd)+100%');
    for (const path of ['', '/ready', '/stats']) {
      const answer = await rig.get(`/v2/models/${name}/versions/2026-11-25_b.1+x${path}`);
      expect(answer.status).toBe(200);
    }
    const answer = await rig.post(`/v2/models/${name}/infer`, one);
    expect(answer.json()).toMatchObject({
      model_name: 'Pumpe 3 (Süd)+100%',
      model_version: '2026-11-25_b.1+x',
    });
  });

  it('that is not ready says so, with its state and reason', async () => {
    const reason = 'the digest is another one';
    rig.catalog.list.push(
      anEntry('late', undefined),
      anEntry('bad', undefined, { state: 'refused', reason }),
    );
    const late = await rig.get('/v2/models/late/ready');
    expect([late.status, late.headers['retry-after']]).toEqual([503, '2']);
    expect(late.json()).toEqual({
      name: 'late',
      ready: false,
      error: 'model "late" is not ready, it is loading',
    });
    const infer = await rig.post('/v2/models/bad/infer', one);
    expect([infer.status, infer.headers['retry-after']]).toEqual([503, '30']);
    expect(infer.error).toBe(`model "bad" is not ready, it is refused: ${reason}`);
    expect((await rig.get('/v2/models/bad')).status).toBe(503);
    expect((await rig.get('/v2/models/echo/ready')).json()).toEqual({ name: 'echo', ready: true });
  });

  it('is exchanged during a request without the request noticing', async () => {
    const successor = new EchoRunner(runner.inputs);
    runner.before = () => {
      rig.catalog.list[0] = anEntry('echo', successor, { version: '2' });
      throw new ScorerError('SCORER_UNAVAILABLE', 'the model is closed');
    };
    const answer = await rig.post('/v2/models/echo/infer', one);
    expect(answer.json()).toMatchObject({ model_version: '2', outputs: [{ data: [1, 2] }] });
  });

  it.each([
    [new ScorerError('RUN_FAILED', 'indices out of bounds'), 400, undefined],
    [new ScorerError('RUN_CRASHED', 'its worker ended'), 500, undefined],
    [new ScorerError('SCORER_UNAVAILABLE', 'its worker keeps ending'), 503, '1'],
    [new ScorerError('QUEUE_FULL', 'too much waits', { retryAfterMs: 4_100 }), 503, '5'],
    [new ScorerError('DEADLINE', 'its time was over'), 504, undefined],
  ])('that does not answer: %s', async (error, status, retryAfter) => {
    runner.before = () => {
      throw error;
    };
    const answer = await rig.post('/v2/models/echo/infer', one);
    expect([answer.status, answer.headers['retry-after']]).toEqual([status, retryAfter]);
    expect(answer.error).toContain(error.message);
  });

  it('that fails in an unknown way gives its client no details', async () => {
    runner.before = () => {
      throw new Error('secret path /x');
    };
    const answer = await rig.post('/v2/models/echo/infer', one);
    expect([answer.status, answer.error]).toEqual([
      500,
      'the request failed, see the log of the module',
    ]);
    expect(rig.logged).toContain('A request to the HTTP API failed');
  });

  it('gets priority, and a deadline from the timeout in microseconds', async () => {
    const before = performance.now();
    const parameters = { priority: 1, timeout: 250_000, custom: 'is ignored' };
    await rig.post('/v2/models/echo/infer', { ...one, parameters });
    const [request] = runner.requests;
    expect(request).toMatchObject({ priority: 1, work: 'http', outputs: ['y'] });
    expect(request!.deadlineMs! - before).toBeGreaterThanOrEqual(250);
    expect(request!.deadlineMs! - performance.now()).toBeLessThan(250);
  });
});

describe('statistics', () => {
  it('count requests, rows and the runs that they shared', async () => {
    const path = '/v2/models/counted/infer';
    rig.catalog.list.push(anEntry('counted', runner));
    await rig.post(path, one);
    const inputs = [{ name: 'x', shape: [3, 2], datatype: 'FP32', data: [1, 2, 3, 4, 5, 6] }];
    await rig.post(path, { inputs });
    await rig.post(path, { inputs: [{ ...inputs[0], shape: [4, 2] }] });
    const { model_stats } = (await rig.get('/v2/models/counted/versions/1/stats')).json<{
      model_stats: [Record<string, unknown>];
    }>();
    expect(model_stats).toHaveLength(1);
    expect(model_stats[0]).toMatchObject({
      name: 'counted',
      version: '1',
      inference_count: 4,
      execution_count: 2,
      inference_stats: {
        success: { count: 2 },
        queue: { count: 2, ns: 2_000 },
        compute_infer: { count: 2, ns: 6_000 },
      },
      batch_stats: [
        { batch_size: 1, compute_infer: { count: 1, ns: 3_000 } },
        { batch_size: 3, compute_input: { count: 1, ns: 2_000 } },
      ],
    });
    const all = (await rig.get('/v2/models/stats')).json<{ model_stats: unknown[] }>();
    expect(all.model_stats).toHaveLength(2);
  });
});

describe('the repository', () => {
  it('lists models with their states, and on request only those that are ready', async () => {
    const { identity: _, ...unknown } = anEntry('next', undefined, {
      state: 'failed',
      reason: 'no network',
    });
    rig.catalog.list.push(unknown, anEntry('old', runner, { state: 'draining' }));
    const all = await rig.post('/v2/repository/index', {});
    expect(all.json()).toEqual([
      { name: 'echo', version: '1', state: 'READY', reason: '' },
      { name: 'next', state: 'UNAVAILABLE', reason: 'no network' },
      { name: 'old', version: '1', state: 'UNLOADING', reason: 'draining' },
    ]);
    const ready = await rig.post('/v2/repository/index', { ready: true });
    expect(ready.json()).toHaveLength(1);
    expect((await rig.call('POST', '/v2/repository/index')).json()).toHaveLength(3);
    expect((await rig.post('/v2/repository/index', { ready: 'yes' })).error).toBe(
      'ready: "yes" is not allowed, must be true or false',
    );
  });

  it('does not load or unload unless it is allowed to', async () => {
    const refused = await rig.post('/v2/repository/models/echo/unload', {});
    expect(refused.status).toBe(403);
    rig.api.apply({ ...rig.settings, httpModelControl: true });
    const parameters = { unload_dependents: false };
    const unloaded = await rig.post('/v2/repository/models/echo/unload', { parameters });
    expect(unloaded.json()).toEqual({ name: 'echo', unload: true });
    const loaded = await rig.call('POST', '/v2/repository/models/echo/load');
    expect(loaded.json()).toEqual({ name: 'echo', load: true });
    expect(rig.catalog.calls).toEqual(['unload echo', 'load echo']);
    rig.catalog.failNext = new Error('its folder is gone');
    const failed = await rig.post('/v2/repository/models/echo/load', {});
    expect([failed.status, failed.error]).toEqual([
      400,
      'model "echo" could not be loaded: its folder is gone',
    ]);
    const configured = { parameters: { config: '{}' } };
    expect((await rig.post('/v2/repository/models/echo/load', configured)).error).toContain(
      'parameters.config: is not supported',
    );
    expect((await rig.post('/v2/repository/models/missing/load', {})).status).toBe(404);
    rig.api.apply(rig.settings);
  });
});
