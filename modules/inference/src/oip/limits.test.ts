import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ApiRig } from '../testing/api-rig.ts';
import { EchoRunner } from '../testing/echo-runner.ts';
import { anEntry } from '../testing/fake-catalog.ts';
import { encodingOf } from './answer.ts';

const TOKEN = 'a-token-that-is-long-enough';
let rig: ApiRig;
afterEach(() => rig.stop());

async function start(...given: Parameters<typeof ApiRig.start>): Promise<EchoRunner> {
  rig = await ApiRig.start(...given);
  const runner = new EchoRunner([{ name: 'x', datatype: 'FP32', shape: [-1] }]);
  rig.catalog.list.push(anEntry('echo', runner));
  return runner;
}
const request = (count: number) => ({
  inputs: [{ name: 'x', shape: [count], datatype: 'FP32', data: Array(count).fill(0.25) }],
});
const infer = (count: number, headers: Record<string, string> = {}) =>
  rig.post('/v2/models/echo/infer', request(count), headers);

describe('the bearer token', () => {
  it('is asked for on every path but those that tell whether the server lives', async () => {
    await start({ token: TOKEN });
    for (const path of ['/v2/health/live', '/v2/health/ready']) {
      expect((await rig.get(path)).status).toBe(200);
    }
    for (const path of ['/v2', '/v2/models/echo', '/v2/unknown', '/score', '/v2/health/other']) {
      const answer = await rig.get(path);
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        401,
        'Bearer realm="holdfast"',
      ]);
    }
    expect((await infer(1, { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    const wrong = await infer(1, { authorization: `Bearer ${TOKEN}x` });
    expect([wrong.status, wrong.error]).toEqual([
      401,
      'authorization: must be "Bearer " and the token of this module',
    ]);
  });

  it('is what allows to load and unload', async () => {
    await start({ token: TOKEN });
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await rig.post('/v2/repository/models/echo/load', {}, headers)).status).toBe(200);
    expect((await rig.post('/v2/repository/models/echo/load', {})).status).toBe(401);
  });

  it('is not to be guessed at any rate', async () => {
    await start({ token: TOKEN });
    for (let times = 0; times < 10; times += 1) await rig.get('/v2');
    const answer = await rig.get('/v2');
    expect([answer.status, Number(answer.headers['retry-after'])]).toEqual([
      429,
      expect.any(Number),
    ]);
    expect((await rig.get('/v2', { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(
      200,
    );
  });
});

describe('limits', () => {
  it('of JSON and of the whole body follow the settings', async () => {
    await start({}, { httpJsonBytesMax: 4_096, httpBodyBytesMax: 16_384 });
    expect((await infer(500)).status).toBe(200);
    expect((await infer(1_000)).status).toBe(413);
    const inputs = (count: number) => [
      { name: 'x', shape: [count], datatype: 'FP32', parameters: { binary_data_size: count * 4 } },
    ];
    const binary = (count: number) => {
      const json = Buffer.from(JSON.stringify({ inputs: inputs(count) }));
      const headers = { 'inference-header-content-length': String(json.length) };
      const body = Buffer.concat([json, Buffer.alloc(count * 4)]);
      return rig.call('POST', '/v2/models/echo/infer', { body, headers });
    };
    expect((await binary(4_000)).status).toBe(200);
    expect((await binary(4_096)).status).toBe(413);
    rig.api.apply({ ...rig.settings, httpBodyBytesMax: 32_768 });
    expect((await binary(4_096)).status).toBe(200);
  });

  it('of the memory for all bodies together are kept, and one alone always gets through', async () => {
    const runner = await start({}, { httpMemoryBytesMax: 12_000 });
    expect((await infer(5_000)).status).toBe(200);
    // In several chunks, and with both its forms in memory at the same time.
    const body = gzipSync(JSON.stringify(request(200_000)));
    const headers = { 'content-encoding': 'gzip' };
    expect((await rig.call('POST', '/v2/models/echo/infer', { body, headers })).status).toBe(200);
    expect((await infer(200_000)).status).toBe(200);
    let proceed = () => {};
    const waiting = new Promise<void>((resolve) => {
      runner.before = () => {
        resolve();
        return new Promise((go) => {
          proceed = () => go(undefined);
        });
      };
    });
    const first = infer(2_000);
    await waiting;
    runner.before = () => {};
    const second = await infer(2_000);
    expect([second.status, second.headers['retry-after']]).toEqual([429, '1']);
    expect((await infer(100)).status).toBe(200);
    proceed();
    expect((await first).status).toBe(200);
    expect((await infer(2_000)).status).toBe(200);
    expect(rig.api.status()).toMatchObject({ heldBytes: 0, answered: { 200: 6, 429: 1 } });
  });

  it('of time are those of the module, unless the request has a shorter one', async () => {
    const runner = await start({}, { httpTimeoutMs: 1_000 });
    const before = performance.now();
    await rig.post('/v2/models/echo/infer', {
      ...request(1),
      parameters: { timeout: 3_600_000_000 },
    });
    expect(runner.requests[0]!.deadlineMs! - before).toBeLessThan(2_000);
  });
});

describe('long texts', () => {
  it('are parsed beside the event loop, and give the same tensors', async () => {
    await start();
    const data = Array.from({ length: 100_000 }, (_, at) => at + 0.5);
    const answer = await rig.post('/v2/models/echo/infer', {
      id: 'long',
      inputs: [{ name: 'x', shape: [data.length], datatype: 'FP32', data }],
    });
    expect(answer.json()).toMatchObject({ id: 'long', outputs: [{ shape: [100_000] }] });
    expect(answer.json<{ outputs: [{ data: number[] }] }>().outputs[0].data).toEqual(data);
  });

  it('are refused with the same sentences', async () => {
    await start();
    const data = [...Array(100_000).fill(0.25), 'x'];
    const answer = await rig.post('/v2/models/echo/infer', {
      inputs: [{ name: 'x', shape: [data.length], datatype: 'FP32', data }],
    });
    expect([answer.status, answer.error]).toEqual([
      400,
      'input "x": data: element 100000: "x" is not allowed, must be a number within FP32',
    ]);
  });

  it('keep 64-bit numbers to the last digit', async () => {
    await start();
    const runner = new EchoRunner([{ name: 'x', datatype: 'INT64', shape: [-1] }]);
    rig.catalog.list.push(anEntry('long', runner));
    const data = `[${Array(30_000).fill('9007199254740993').join(',')}]`;
    const body = Buffer.from(
      `{"inputs":[{"name":"x","shape":[30000],"datatype":"INT64","data":${data}}]}`,
    );
    const answer = await rig.call('POST', '/v2/models/long/infer', { body });
    expect(answer.body.toString()).toContain(`"data":${data}`);
  });
});

describe('compression', () => {
  it('of requests is understood in both forms of deflate', async () => {
    await start();
    const json = JSON.stringify(request(1_000));
    for (const [encoding, compress] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['deflate', deflateRawSync],
    ] as const) {
      const answer = await rig.call('POST', '/v2/models/echo/infer', {
        body: compress(json),
        headers: { 'content-encoding': encoding },
        chunked: true,
      });
      expect(answer.json()).toMatchObject({ outputs: [{ shape: [1_000] }] });
    }
  });

  it('of answers is what the client asks for, where it is worth it', async () => {
    await start();
    const gzip = await infer(10_000, { 'accept-encoding': 'gzip' });
    expect(gzip.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    expect(gzip.json()).toMatchObject({ outputs: [{ shape: [10_000] }] });
    const deflate = await infer(200_000, { 'accept-encoding': 'br, deflate' });
    expect(deflate.headers['content-encoding']).toBe('deflate');
    expect(deflate.json()).toMatchObject({ outputs: [{ shape: [200_000] }] });
    expect(
      (await infer(1, { 'accept-encoding': 'gzip' })).headers['content-encoding'],
    ).toBeUndefined();
    expect((await infer(10_000)).headers['content-encoding']).toBeUndefined();
  });

  it('counts the bytes of the JSON before compression', async () => {
    await start();
    const inputs = [{ name: 'x', shape: [1_000], datatype: 'FP32', data: Array(1_000).fill(1) }];
    const parameters = { binary_data_output: true };
    const headers = { 'accept-encoding': 'deflate' };
    const answer = await rig.post('/v2/models/echo/infer', { inputs, parameters }, headers);
    expect(answer.headers['content-encoding']).toBe('deflate');
    const length = Number(answer.headers['inference-header-content-length']);
    expect(answer.body.length - length).toBe(4_000);
  });

  it.each([
    [undefined, undefined],
    ['gzip, deflate, br', 'gzip'],
    ['deflate', 'deflate'],
    ['gzip;q=0, deflate;q=0.5', 'deflate'],
    ['GZIP; q=0.1', 'gzip'],
    ['identity', undefined],
    ['*', undefined],
  ])('is chosen from %j', (accepted, encoding) => {
    expect(encodingOf(accepted)).toBe(encoding);
  });
});
