import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bytesOf, EchoApi, headOf, LENGTH, TYPES, tailOf } from '../testing/echo-api.ts';
import { packBytes } from './tensor-binary.ts';

let api: EchoApi;
beforeAll(async () => {
  api = await EchoApi.start();
});
afterAll(() => api.rig.stop());

describe('binary tensors', () => {
  it.each(TYPES)('of %s come back as they went', async (datatype) => {
    const sizes = {
      BOOL: 1,
      UINT8: 1,
      INT8: 1,
      UINT64: 8,
      INT64: 8,
      FP64: 8,
      FP32: 4,
      UINT32: 4,
      INT32: 4,
    };
    const size = datatype in sizes ? sizes[datatype as 'BOOL'] : 2;
    const bytes =
      datatype === 'BYTES'
        ? packBytes([Buffer.from('a'), Buffer.alloc(0)])
        : Uint8Array.from({ length: 2 * size }, (_, at) => at % 2);
    const inputs = [
      { name: 'x', shape: [1, 2], datatype, parameters: { binary_data_size: bytes.length } },
    ];
    const answer = await api.inferBinary(
      datatype,
      { inputs, parameters: { binary_data_output: true } },
      bytes,
    );
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(headOf(answer).outputs).toEqual([
      { name: 'y', datatype, shape: [1, 2], parameters: { binary_data_size: bytes.length } },
    ]);
    expect(tailOf(answer)).toEqual(Buffer.from(bytes));
  });

  it('may begin at any byte of the body', async () => {
    for (let pad = 0; pad < 8; pad += 1) {
      const inputs = [
        { name: 'x', shape: [1, 2], datatype: 'FP64', parameters: { binary_data_size: 16 } },
      ];
      const json = { id: 'p'.repeat(pad), inputs };
      const answer = await api.inferBinary('FP64', json, bytesOf(new Float64Array([0.1, 2])));
      expect(answer.json()).toMatchObject({ outputs: [{ data: [0.1, 2] }] });
    }
  });

  it('mix with JSON ones, on the way in and on the way out', async () => {
    const x1 = { name: 'x1', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } };
    const x2 = { name: 'x2', shape: [2], datatype: 'INT64', data: [5, 6] };
    const bytes = bytesOf(new Float32Array([1, 2]));
    const outputs = [{ name: 'y2', parameters: { binary_data: true } }, { name: 'y1' }];
    const answer = await api.inferBinary('pair', { inputs: [x2, x1], outputs }, bytes);
    expect(headOf(answer).outputs).toEqual([
      { name: 'y2', datatype: 'INT64', shape: [2], parameters: { binary_data_size: 16 } },
      { name: 'y1', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
    ]);
    expect(tailOf(answer)).toEqual(bytesOf(new BigInt64Array([5n, 6n])));
  });

  it('follow the setting of the output before that of the request', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'INT8', data: [1, 2] }];
    const parameters = { binary_data_output: true };
    const all = await api.infer('INT8', { inputs, parameters });
    expect(tailOf(all)).toEqual(Buffer.from([1, 2]));
    const outputs = [{ name: 'y', parameters: { binary_data: false } }];
    const none = await api.infer('INT8', { inputs, parameters, outputs });
    expect(none.headers[LENGTH]).toBeUndefined();
    expect(none.json()).toMatchObject({ outputs: [{ data: [1, 2] }] });
    // JSON alone may say how long it is.
    const json = Buffer.from(JSON.stringify({ inputs }));
    const headers = { [LENGTH]: String(json.length) };
    const whole = await api.rig.call('POST', '/v2/models/INT8/infer', { body: json, headers });
    expect(whole.json()).toMatchObject({ outputs: [{ data: [1, 2] }] });
  });

  const binary = (size: number, shape = [1, 2]) => ({
    inputs: [{ name: 'x', shape, datatype: 'FP32', parameters: { binary_data_size: size } }],
  });
  it.each([
    [binary(8), 9, 'body: has 1 bytes more than its inputs say in binary_data_size'],
    [binary(8), 7, 'input "x": binary_data_size 8 is not allowed, 7 bytes are left in the body'],
    [binary(4), 4, 'input "x": has 4 bytes of binary data, must be 8 for FP32 [1, 2]'],
    [binary(12), 12, 'input "x": has 12 bytes of binary data, must be 8 for FP32 [1, 2]'],
    [binary(-1), 0, 'input "x": parameters.binary_data_size: -1 is not allowed'],
    [binary(1.5), 2, 'parameters.binary_data_size: 1.5 is not allowed'],
    [
      { inputs: [{ ...binary(8).inputs[0], data: [1, 2] }] },
      8,
      'has both data and binary_data_size',
    ],
  ])('that do not add up are refused: %j with %d bytes', async (json, bytes, message) => {
    const answer = await api.inferBinary('FP32', json, new Uint8Array(bytes));
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });

  it.each([
    ['BOOL', Buffer.from([1, 2]), 'input "x": byte 1 is 2, must be 0 or 1 for BOOL'],
    ['BYTES', Buffer.from([9, 0, 0, 0, 65]), 'element 0 goes beyond the end of its binary data'],
    ['BYTES', Buffer.from([0, 0, 0]), 'element 0 goes beyond the end'],
    ['BYTES', Buffer.alloc(4), 'has 1 elements in its binary data, must be 2'],
    ['BYTES', Buffer.alloc(12), 'has more elements in its binary data than its shape says, 2'],
  ])('of %s with bytes that mean nothing are refused', async (datatype, bytes, message) => {
    const inputs = [
      { name: 'x', shape: [1, 2], datatype, parameters: { binary_data_size: bytes.length } },
    ];
    const answer = await api.inferBinary(datatype, { inputs }, bytes);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });
});

describe('a raw tensor', () => {
  const raw = (model: string, body: Uint8Array) =>
    api.rig.call('POST', `/v2/models/${model}/infer`, { body, headers: { [LENGTH]: '0' } });

  it('takes its shape from its size', async () => {
    const answer = await raw('FP32', bytesOf(new Float32Array([1, 2, 3, 4])));
    expect(headOf(answer).outputs).toMatchObject([
      { shape: [2, 2], parameters: { binary_data_size: 16 } },
    ]);
    expect(tailOf(answer)).toEqual(bytesOf(new Float32Array([1, 2, 3, 4])));
    const image = await raw('image', new Uint8Array(10));
    expect(headOf(image).outputs).toMatchObject([{ shape: [1, 2, 5] }]);
    const text = await raw('texts', Buffer.from('Süd'));
    expect(headOf(text).outputs).toMatchObject([{ shape: [1] }]);
    expect(tailOf(text)).toEqual(Buffer.from(packBytes([Buffer.from('Süd')])));
  });

  it.each([
    ['pair', 8, 'raw binary data is for models with one input, this one has "x1", "x2"'],
    ['open', 8, 'input "x": raw binary data leaves the shape open, which is [2, -1, -1]'],
    ['FP32', 6, 'input "x": 1.5 elements of raw binary data do not make the shape [-1, 2]'],
    ['FP32', 4, '1 elements of raw binary data do not make the shape [-1, 2]'],
    ['scalar', 16, '2 elements of raw binary data do not make the shape []'],
  ])('of %s with %d bytes is refused', async (model, bytes, message) => {
    const answer = await raw(model, new Uint8Array(bytes));
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });
});

describe('classification', () => {
  it('gives the highest values of each row with their indexes', async () => {
    const inputs = [{ name: 'x', shape: [2, 2], datatype: 'FP32', data: [0.25, 0.75, 1, 1] }];
    const outputs = [{ name: 'y', parameters: { classification: 5 } }];
    const answer = await api.infer('FP32', { inputs, outputs });
    expect(answer.json()).toMatchObject({
      outputs: [{ datatype: 'BYTES', shape: [2, 2], data: ['0.75:1', '0.25:0', '1:0', '1:1'] }],
    });
    const best = [{ name: 'y', parameters: { classification: 1, binary_data: true } }];
    const binary = await api.infer('FP32', { inputs, outputs: best });
    expect(tailOf(binary)).toEqual(
      Buffer.from(packBytes([Buffer.from('0.75:1'), Buffer.from('1:0')])),
    );
  });

  it('is for numbers only', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'BYTES', data: ['a', 'b'] }];
    const outputs = [{ name: 'y', parameters: { classification: 1 } }];
    expect((await api.infer('BYTES', { inputs, outputs })).error).toBe(
      'output "y": classification is for numbers, the output is BYTES',
    );
  });
});
