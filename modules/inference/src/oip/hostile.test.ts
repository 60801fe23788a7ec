/**
 * Goal: no request harms the server: it is refused with a sentence, cheaply, and the next one is answered. Method: the
 * list of hostile requests that servers of the protocol are tested with, and some more, one after the other on one
 * server, each followed by a question for its life.
 */
import { connect } from 'node:net';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiRig } from '../testing/api-rig.ts';
import { EchoRunner } from '../testing/echo-runner.ts';
import { anEntry } from '../testing/fake-catalog.ts';

const LENGTH = 'inference-header-content-length';
const JSON_TYPE = { 'content-type': 'application/json' };
let rig: ApiRig;
beforeAll(async () => {
  rig = await ApiRig.start();
  const spec = { name: 'x', datatype: 'FP32', shape: [-1, 2] } as const;
  rig.catalog.list.push(anEntry('echo', new EchoRunner([spec])));
  rig.catalog.list.push(
    anEntry('texts', new EchoRunner([{ ...spec, datatype: 'BYTES', shape: [-1] }])),
  );
});
afterAll(() => rig.stop());
afterEach(async () => {
  expect((await rig.get('/v2/health/live')).json()).toEqual({ live: true });
  expect((await rig.post('/v2/models/echo/infer', request())).status).toBe(200);
  expect(rig.api.status().heldBytes).toBe(0);
});

const request = (change: object = {}) => ({
  inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2], ...change }],
});
const post = (
  body: string | Uint8Array,
  headers: Record<string, string> = {},
  path = '/v2/models/echo/infer',
) => rig.call('POST', path, { body: Buffer.from(body), headers: { ...JSON_TYPE, ...headers } });

describe('a hostile request', () => {
  it.each([
    ['overflow of the product', request({ shape: [2 ** 4, 2 ** 60 + 2] })],
    ['overflow of elements times size', request({ shape: [2 ** 31 - 1, 2 ** 31 - 1] })],
    ['a product that is zero', request({ shape: [2 ** 31 - 1, 0], data: [] })],
    ['a huge dimension', request({ shape: [2 ** 53, 2] })],
    ['a negative dimension', request({ shape: [-1, 2] })],
    ['many dimensions', request({ shape: Array(1_000).fill(1) })],
    ['a dimension that is no number', request({ shape: ['2', {}] })],
    ['the same output twice', { ...request(), outputs: [{ name: 'y' }, { name: 'y' }] }],
    ['data that is missing', request({ data: undefined })],
    ['a shape that fits no data', request({ shape: [1_000_000, 2] })],
    ['nested empty arrays', request({ shape: [3, 2], data: [[], [], []] })],
    ['a name that is an object', request({ name: {} })],
    ['a prototype as name', request({ name: '__proto__' })],
    ['a constructor as type', request({ datatype: 'constructor' })],
  ])('is refused: %s', async (_, json) => {
    const answer = await rig.post('/v2/models/echo/infer', json);
    expect(answer.status).toBe(400);
    expect(answer.error.length).toBeLessThan(400);
  });

  it.each([
    '',
    ' ',
    'null',
    '"x"',
    '7',
    '{',
    '{"inputs":[}',
    '\ufeff{}',
    '{"inputs": NaN}',
    `{"a":"${'\\'}`,
  ])('is refused: a body of %j', async (body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(answer.error).toMatch(/^body: /);
  });

  it('is refused: bytes that are not UTF-8', async () => {
    const answer = await post(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]));
    expect(answer.error).toBe('body: is not UTF-8, must be JSON in UTF-8');
  });

  it('may be nested 50 deep but not 120, whatever stands between', async () => {
    const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const nested = (levels: number) =>
      `{"ignored":${deep(levels)},${JSON.stringify(request()).slice(1)}`;
    expect((await post(nested(50))).status).toBe(200);
    const answer = await post(nested(120));
    expect([answer.status, answer.error]).toEqual([
      400,
      'body: is nested deeper than 100 levels, at byte 110',
    ]);
    // Brackets in texts are no nesting, and many brackets side by side are none either.
    expect(
      (await post(`{"ignored":"${'[{\\"'.repeat(200)}",${JSON.stringify(request()).slice(1)}`))
        .status,
    ).toBe(200);
    expect(
      (await post(`{"ignored":[${Array(200).fill('[]')}],${JSON.stringify(request()).slice(1)}`))
        .status,
    ).toBe(200);
  });

  it('is refused before it is parsed: 250,000 levels, and eight million brackets', async () => {
    const index = await post('['.repeat(250_000), {}, '/v2/repository/index');
    expect(index.status).toBe(413);
    const levels = await post('{"a":'.repeat(50_000));
    expect(levels.error).toBe('body: is nested deeper than 100 levels, at byte 500');
    const most = await post('['.repeat(8 * 1024 * 1024));
    expect(most.error).toBe('body: is nested deeper than 100 levels, at byte 100');
  });

  it.each([
    '-1',
    '1.5',
    'abc',
    '',
    '99999',
    '0x10',
    '1e2',
    '9'.repeat(400),
    '18446744073709551617',
  ])('is refused: %s bytes of JSON announced', async (length) => {
    const answer = await post(JSON.stringify(request()), { [LENGTH]: length });
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(`${LENGTH}: "${length}" is not allowed`);
  });

  it('is refused: more texts than there is room for', async () => {
    const count = 300_000;
    const inputs = [
      { name: 'x', shape: [count], datatype: 'BYTES', parameters: { binary_data_size: 4 * count } },
    ];
    const json = Buffer.from(JSON.stringify({ inputs }));
    const body = Buffer.concat([json, Buffer.alloc(4 * count)]);
    const answer = await post(body, { [LENGTH]: String(json.length) }, '/v2/models/texts/infer');
    expect(answer.error).toBe(
      'input "x": shape [300000] has 300000 elements, must be at most 262144',
    );
  });

  it('is refused by its announced length, before its body', async () => {
    const answer = await rawAnswer(
      'POST /v2/models/echo/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n{',
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain(
      '{"error":"body: 99999999999 bytes is too large, must be at most 8388608 bytes as JSON',
    );
  });

  it('is refused where it passes the limit, when it announces no length', async () => {
    const body = Buffer.alloc(9 * 1024 * 1024, 0x20);
    const answer = await rig.call('POST', '/v2/models/echo/infer', { body, chunked: true });
    expect(answer.status).toBe(413);
    const json = await rig.call('POST', '/v2/models/echo/infer', {
      body,
      headers: { [LENGTH]: String(body.length) },
    });
    expect([json.status, json.error]).toEqual([
      413,
      `${LENGTH}: 9437184 is not allowed, JSON must be at most 8388608 bytes`,
    ]);
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
  ] as const)('is refused when it inflates beyond the limit, %s', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(100 * 1024 * 1024, 0x20));
    const answer = await post(bomb, { 'content-encoding': encoding });
    expect(answer.status).toBe(413);
    expect(answer.error).toContain('more than 8388608 bytes inflated is too large');
  });

  it('is refused: a body that is not what its encoding says', async () => {
    for (const encoding of ['gzip', 'deflate']) {
      const answer = await post('{}', { 'content-encoding': encoding });
      expect([answer.status, answer.error]).toEqual([
        400,
        expect.stringContaining('not what content-encoding says'),
      ]);
    }
    const cut = gzipSync(Buffer.from(JSON.stringify(request()))).subarray(0, 40);
    expect((await post(cut, { 'content-encoding': 'gzip' })).status).toBe(400);
    const other = await post('{}', { 'content-encoding': 'br' });
    expect([other.status, other.error]).toEqual([
      415,
      'content-encoding: "br" is not allowed, must be gzip, deflate or identity',
    ]);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'no type',
  ])('is refused: content-type %s', async (type) => {
    const answer = await post(JSON.stringify(request()), { 'content-type': type });
    expect(answer.status).toBe(415);
  });

  it('does not cost the others anything when its client goes away in the middle', async () => {
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    socket.write(
      'POST /v2/models/echo/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{"inputs":',
    );
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.destroy();
  });

  it('is refused: something that is no HTTP', async () => {
    expect(await rawAnswer('SSH-2.0-x\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    const long = `GET /v2 HTTP/1.1\r\nhost: x\r\na: ${'x'.repeat(100_000)}\r\n\r\n`;
    expect(await rawAnswer(long)).toMatch(/^HTTP\/1.1 431 /);
  });
});

/** What the server says to bytes that no client would send. */
function rawAnswer(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1', () => socket.write(text));
    socket.once('error', reject);
    socket.once('data', (data) => {
      resolve(data.toString());
      socket.destroy();
    });
  });
}
