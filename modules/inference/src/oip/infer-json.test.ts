import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Datatype } from '../domain/tensor.ts';
import { bytesOf, EchoApi } from '../testing/echo-api.ts';
import { packBytes } from './tensor-binary.ts';

let api: EchoApi;
beforeAll(async () => {
  api = await EchoApi.start();
});
afterAll(() => api.rig.stop());

describe('JSON tensors', () => {
  it.each([
    ['BOOL', '[true,false]'],
    ['UINT8', '[0,255]'],
    ['UINT16', '[0,65535]'],
    ['UINT32', '[0,4294967295]'],
    ['UINT64', '[0,18446744073709551615]'],
    ['INT8', '[-128,127]'],
    ['INT16', '[-32768,32767]'],
    ['INT32', '[-2147483648,2147483647]'],
    ['INT64', '[-9223372036854775808,9223372036854775807]'],
    ['INT64', '[9007199254740993,-9007199254740993]'],
    ['FP32', '[0.5,-3.4028234663852886e+38]'],
    ['FP64', '[0.1,1.7976931348623157e+308]'],
    ['BYTES', '["","Süd \\" \\n 🐟"]'],
  ])('of %s keep their values to the last digit, %s', async (type, data) => {
    const body = `{"inputs":[{"name":"x","shape":[1,2],"datatype":"${type}","data":${data}}]}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await api.rig.call('POST', `/v2/models/${type}/infer`, {
      body: Buffer.from(body),
      headers,
    });
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toContain(`"shape":[1,2],"data":${data}`);
  });

  it('may be nested as their shape is, or flat', async () => {
    const data = [
      [1, 2],
      [3, 4],
      [5, 6],
    ];
    for (const form of [data, data.flat()]) {
      const answer = await api.infer('FP32', {
        inputs: [{ name: 'x', shape: [3, 2], datatype: 'FP32', data: form }],
      });
      expect(answer.json()).toMatchObject({
        outputs: [{ shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }],
      });
    }
    const scalar = { inputs: [{ name: 'x', shape: [], datatype: 'FP64', data: [7] }] };
    expect((await api.infer('scalar', scalar)).json()).toMatchObject({
      outputs: [{ shape: [], data: [7] }],
    });
    const none = { inputs: [{ name: 'x', shape: [0, 2], datatype: 'FP32', data: [] }] };
    expect((await api.infer('FP32', none)).json()).toMatchObject({
      outputs: [{ shape: [0, 2], data: [] }],
    });
  });

  it('echo the id, and have none where none was given', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'INT8', data: [1, 2] }];
    expect((await api.infer('INT8', { id: 'Süd', inputs })).json().id).toBe('Süd');
    // Triton writes model_name into the body of its examples; it says nothing.
    expect((await api.infer('INT8', { model_name: 'other', inputs })).json()).not.toHaveProperty(
      'id',
    );
  });

  const x = (change: object) => ({
    inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2], ...change }],
  });
  it.each([
    ['FP32', x({ data: [1] }), 'input "x": data: has 1 elements, must have 2 for shape [1, 2]'],
    [
      'FP32',
      x({ data: [1, 'a'] }),
      'input "x": data: element 1: "a" is not allowed, must be a number within FP32',
    ],
    ['FP32', x({ data: [1, null] }), 'element 1: null is not allowed'],
    [
      'FP32',
      x({ data: [1, 1e39] }),
      'element 1: 1e+39 is not allowed, must be a number within FP32',
    ],
    ['FP32', x({ data: [[1], [2]] }), 'an array at level 0 has 2 elements, must have 1'],
    ['FP32', x({ data: [[1, 2, 3]] }), 'an array at level 1 has 3 elements, must have 2'],
    ['FP32', x({ data: [[1, [2]]] }), 'element 1: [2] is not allowed'],
    [
      'FP32',
      x({ shape: [2, 2], data: [[1, 2], 3] }),
      '3 at level 1 is not allowed, must be an array',
    ],
    ['FP32', x({ data: 'x' }), 'input "x": data: "x" is not allowed, must be an array'],
    ['FP32', x({ data: undefined }), 'input "x": has neither data nor binary_data_size'],
    [
      'FP32',
      x({ shape: undefined }),
      'input "x": shape undefined is not allowed, must be an array',
    ],
    ['FP32', x({ shape: [1, 2.5] }), 'input "x": shape[1]: 2.5 is not allowed'],
    [
      'FP32',
      x({ shape: [-1, 2] }),
      'shape[0]: -1 is not allowed, must be a whole number from 0 to 2147483647',
    ],
    ['FP32', x({ shape: [2, 1] }), 'input "x": shape [2, 1] is not allowed, must be [-1, 2]'],
    ['FP32', x({ datatype: 'FP64' }), 'input "x": datatype FP64 is not allowed, must be FP32'],
    ['FP32', x({ datatype: 'STRING' }), 'input "x": datatype "STRING" is not one of the protocol'],
    ['FP32', x({ datatype: 'toString' }), 'datatype "toString" is not one of the protocol'],
    ['FP32', x({ name: 'z' }), 'input "z": is not known, the model has "x"'],
    ['FP32', { inputs: [] }, 'input "x": is missing, the model needs "x"'],
    ['FP32', { inputs: [...x({}).inputs, ...x({}).inputs] }, 'input "x": is named more than once'],
    ['FP32', {}, 'inputs: is missing, must be an array'],
    ['FP32', [], 'body: [] is not allowed, must be an object'],
    ['FP32', { ...x({}), id: 7 }, 'id: 7 is not allowed, must be a text'],
    ['FP32', { ...x({}), outputs: [{ name: 'z' }] }, 'output "z": is not known, the model has "y"'],
    [
      'FP32',
      { ...x({}), outputs: [{ name: 'y' }, { name: 'y' }] },
      'output "y": is named more than once',
    ],
    ['FP32', { ...x({}), parameters: { a: [] } }, 'request: parameters.a: [] is not allowed'],
    ['FP32', { ...x({}), parameters: { timeout: -1 } }, 'parameters.timeout: -1 is not allowed'],
    [
      'FP32',
      { ...x({}), parameters: { priority: 'high' } },
      'parameters.priority: "high" is not allowed',
    ],
    [
      'FP32',
      x({ parameters: { shared_memory_region: 'a' }, data: undefined }),
      'shared memory is not supported',
    ],
    [
      'FP16',
      x({ datatype: 'FP16' }),
      'input "x": FP16 has no form in JSON, send it as binary data',
    ],
    [
      'BF16',
      x({ datatype: 'BF16' }),
      'input "x": BF16 has no form in JSON, send it as binary data',
    ],
    [
      'BOOL',
      x({ datatype: 'BOOL', data: [1, 0] }),
      'element 0: 1 is not allowed, must be true or false',
    ],
    ['UINT8', x({ datatype: 'UINT8', data: [1, 256] }), 'must be a whole number from 0 to 255'],
    ['INT32', x({ datatype: 'INT32', data: [1, 1.5] }), 'element 1: 1.5 is not allowed'],
    ['UINT64', x({ datatype: 'UINT64', data: [1, -1] }), 'element 1: -1 is not allowed'],
    ['INT64', x({ datatype: 'INT64', data: [1, 1e300] }), 'must be a whole number in digits'],
    [
      'BYTES',
      x({ datatype: 'BYTES', data: ['a', 1] }),
      'element 1: 1 is not allowed, must be a text',
    ],
    ['BYTES', x({ datatype: 'BYTES', data: ['a', '\ud800'] }), 'element 1'],
  ])('of %s that do not fit are refused: %j', async (model, json, message) => {
    const answer = await api.infer(model, json);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });

  it('may hold numbers that are too large anywhere without doing harm', async () => {
    const long = '12345678901234567890';
    for (const [field, message] of [
      [`"shape":[1,${long}]`, `shape[1]: ${long} is not allowed`],
      [`"shape":[1,2],"data":[[${long}],1]`, 'an array at level 0 has 2 elements'],
      [`"shape":[1,2],"data":[[1,[${long}]]]`, 'element 1: '],
      [
        `"shape":[1,2],"parameters":{"binary_data_size":${long}}`,
        `binary_data_size: ${long} is not allowed`,
      ],
      [`"shape":[1,2],"parameters":[${long}]`, 'parameters: '],
      // Not the digits of a whole number, so it may have been another one.
      ['"shape":[1,2],"data":[1,1e17]', 'must be a whole number in digits'],
    ]) {
      const body = Buffer.from(`{"inputs":[{"name":"x","datatype":"INT64",${field}}]}`);
      const answer = await api.rig.call('POST', '/v2/models/INT64/infer', { body });
      expect([answer.status, answer.error]).toEqual([400, expect.stringContaining(message!)]);
    }
  });

  it('cannot carry what is not a number, half precision or bytes that are no text', async () => {
    const y = { outputs: [{ name: 'y' }] };
    const input = (datatype: Datatype, binary_data_size: number) => ({
      inputs: [{ name: 'x', shape: [1, 2], datatype, parameters: { binary_data_size } }],
    });
    const notFinite = await api.inferBinary(
      'FP32',
      { ...input('FP32', 8), ...y },
      bytesOf(new Float32Array([1, Number.NaN])),
    );
    expect([notFinite.status, notFinite.error]).toEqual([
      400,
      'output "y": element 1 is NaN, which JSON cannot carry, ask for it with binary_data',
    ]);
    const half = await api.inferBinary('FP16', { ...input('FP16', 4), ...y }, new Uint8Array(4));
    expect(half.error).toBe('output "y": FP16 has no form in JSON, ask for it with binary_data');
    const packed = packBytes([new Uint8Array([0xff]), new Uint8Array()]);
    const noText = await api.inferBinary(
      'BYTES',
      { ...input('BYTES', packed.length), ...y },
      packed,
    );
    expect(noText.error).toBe('output "y": element 0 is not UTF-8, ask for it with binary_data');
  });
});
