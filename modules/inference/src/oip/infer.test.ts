import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Datatype, TensorSpec } from '../domain/tensor.ts';
import { type ApiAnswer, ApiRig } from '../testing/api-rig.ts';
import { EchoRunner } from '../testing/echo-runner.ts';
import { anEntry } from '../testing/fake-catalog.ts';
import { packBytes } from './tensor-binary.ts';

const LENGTH = 'inference-header-content-length';
let rig: ApiRig;
beforeAll(async () => {
  rig = await ApiRig.start();
  const model = (name: string, ...inputs: TensorSpec[]) =>
    rig.catalog.list.push(anEntry(name, new EchoRunner(inputs)));
  model(
    'pair',
    { name: 'x1', datatype: 'FP32', shape: [-1, 2] },
    { name: 'x2', datatype: 'INT64', shape: [-1] },
  );
  for (const type of TYPES) model(type, { name: 'x', datatype: type, shape: [-1, 2] });
  model('scalar', { name: 'x', datatype: 'FP64', shape: [] });
  model('texts', { name: 'x', datatype: 'BYTES', shape: [-1] });
  model('image', { name: 'x', datatype: 'UINT8', shape: [-1, 2, -1] });
  model('open', { name: 'x', datatype: 'UINT8', shape: [2, -1, -1] });
});
afterAll(() => rig.stop());

const TYPES: Datatype[] = [
  ...(['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32', 'INT64'] as const),
  ...(['FP16', 'BF16', 'FP32', 'FP64', 'BYTES'] as const),
];

/** JSON and what follows it. */
function binaryBody(json: unknown, ...tensors: Uint8Array[]) {
  const head = Buffer.from(JSON.stringify(json));
  return { body: Buffer.concat([head, ...tensors]), headers: { [LENGTH]: String(head.length) } };
}
const infer = (model: string, json: unknown): Promise<ApiAnswer> =>
  rig.post(`/v2/models/${model}/infer`, json);
const inferBinary = (model: string, json: unknown, ...tensors: Uint8Array[]): Promise<ApiAnswer> =>
  rig.call('POST', `/v2/models/${model}/infer`, binaryBody(json, ...tensors));
const tail = (answer: ApiAnswer): Buffer => answer.body.subarray(Number(answer.headers[LENGTH]));
const head = (answer: ApiAnswer) =>
  JSON.parse(answer.body.subarray(0, Number(answer.headers[LENGTH])).toString());
const bytesOf = (view: ArrayBufferView) =>
  Buffer.from(view.buffer, view.byteOffset, view.byteLength);

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
    const answer = await rig.call('POST', `/v2/models/${type}/infer`, {
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
      const answer = await infer('FP32', {
        inputs: [{ name: 'x', shape: [3, 2], datatype: 'FP32', data: form }],
      });
      expect(answer.json()).toMatchObject({
        outputs: [{ shape: [3, 2], data: [1, 2, 3, 4, 5, 6] }],
      });
    }
    const scalar = { inputs: [{ name: 'x', shape: [], datatype: 'FP64', data: [7] }] };
    expect((await infer('scalar', scalar)).json()).toMatchObject({
      outputs: [{ shape: [], data: [7] }],
    });
    const none = { inputs: [{ name: 'x', shape: [0, 2], datatype: 'FP32', data: [] }] };
    expect((await infer('FP32', none)).json()).toMatchObject({
      outputs: [{ shape: [0, 2], data: [] }],
    });
  });

  it('echo the id, and have none where none was given', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'INT8', data: [1, 2] }];
    expect((await infer('INT8', { id: 'Süd', inputs })).json().id).toBe('Süd');
    // Triton writes model_name into the body of its examples; it says nothing.
    expect((await infer('INT8', { model_name: 'other', inputs })).json()).not.toHaveProperty('id');
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
    const answer = await infer(model, json);
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
      const answer = await rig.call('POST', '/v2/models/INT64/infer', { body });
      expect([answer.status, answer.error]).toEqual([400, expect.stringContaining(message!)]);
    }
  });

  it('cannot carry what is not a number, half precision or bytes that are no text', async () => {
    const y = { outputs: [{ name: 'y' }] };
    const input = (datatype: Datatype, binary_data_size: number) => ({
      inputs: [{ name: 'x', shape: [1, 2], datatype, parameters: { binary_data_size } }],
    });
    const notFinite = await inferBinary(
      'FP32',
      { ...input('FP32', 8), ...y },
      bytesOf(new Float32Array([1, Number.NaN])),
    );
    expect([notFinite.status, notFinite.error]).toEqual([
      400,
      'output "y": element 1 is NaN, which JSON cannot carry, ask for it with binary_data',
    ]);
    const half = await inferBinary('FP16', { ...input('FP16', 4), ...y }, new Uint8Array(4));
    expect(half.error).toBe('output "y": FP16 has no form in JSON, ask for it with binary_data');
    const packed = packBytes([new Uint8Array([0xff]), new Uint8Array()]);
    const noText = await inferBinary('BYTES', { ...input('BYTES', packed.length), ...y }, packed);
    expect(noText.error).toBe('output "y": element 0 is not UTF-8, ask for it with binary_data');
  });
});

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
    const answer = await inferBinary(
      datatype,
      { inputs, parameters: { binary_data_output: true } },
      bytes,
    );
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(head(answer).outputs).toEqual([
      { name: 'y', datatype, shape: [1, 2], parameters: { binary_data_size: bytes.length } },
    ]);
    expect(tail(answer)).toEqual(Buffer.from(bytes));
  });

  it('may begin at any byte of the body', async () => {
    for (let pad = 0; pad < 8; pad += 1) {
      const inputs = [
        { name: 'x', shape: [1, 2], datatype: 'FP64', parameters: { binary_data_size: 16 } },
      ];
      const json = { id: 'p'.repeat(pad), inputs };
      const answer = await inferBinary('FP64', json, bytesOf(new Float64Array([0.1, 2])));
      expect(answer.json()).toMatchObject({ outputs: [{ data: [0.1, 2] }] });
    }
  });

  it('mix with JSON ones, on the way in and on the way out', async () => {
    const x1 = { name: 'x1', shape: [1, 2], datatype: 'FP32', parameters: { binary_data_size: 8 } };
    const x2 = { name: 'x2', shape: [2], datatype: 'INT64', data: [5, 6] };
    const bytes = bytesOf(new Float32Array([1, 2]));
    const outputs = [{ name: 'y2', parameters: { binary_data: true } }, { name: 'y1' }];
    const answer = await inferBinary('pair', { inputs: [x2, x1], outputs }, bytes);
    expect(head(answer).outputs).toEqual([
      { name: 'y2', datatype: 'INT64', shape: [2], parameters: { binary_data_size: 16 } },
      { name: 'y1', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
    ]);
    expect(tail(answer)).toEqual(bytesOf(new BigInt64Array([5n, 6n])));
  });

  it('follow the setting of the output before that of the request', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'INT8', data: [1, 2] }];
    const parameters = { binary_data_output: true };
    const all = await infer('INT8', { inputs, parameters });
    expect(tail(all)).toEqual(Buffer.from([1, 2]));
    const outputs = [{ name: 'y', parameters: { binary_data: false } }];
    const none = await infer('INT8', { inputs, parameters, outputs });
    expect(none.headers[LENGTH]).toBeUndefined();
    expect(none.json()).toMatchObject({ outputs: [{ data: [1, 2] }] });
    // JSON alone may say how long it is.
    const json = Buffer.from(JSON.stringify({ inputs }));
    const headers = { [LENGTH]: String(json.length) };
    const whole = await rig.call('POST', '/v2/models/INT8/infer', { body: json, headers });
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
    const answer = await inferBinary('FP32', json, new Uint8Array(bytes));
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
    const answer = await inferBinary(datatype, { inputs }, bytes);
    expect(answer.status).toBe(400);
    expect(answer.error).toContain(message);
  });
});

describe('a raw tensor', () => {
  const raw = (model: string, body: Uint8Array) =>
    rig.call('POST', `/v2/models/${model}/infer`, { body, headers: { [LENGTH]: '0' } });

  it('takes its shape from its size', async () => {
    const answer = await raw('FP32', bytesOf(new Float32Array([1, 2, 3, 4])));
    expect(head(answer).outputs).toMatchObject([
      { shape: [2, 2], parameters: { binary_data_size: 16 } },
    ]);
    expect(tail(answer)).toEqual(bytesOf(new Float32Array([1, 2, 3, 4])));
    const image = await raw('image', new Uint8Array(10));
    expect(head(image).outputs).toMatchObject([{ shape: [1, 2, 5] }]);
    const text = await raw('texts', Buffer.from('Süd'));
    expect(head(text).outputs).toMatchObject([{ shape: [1] }]);
    expect(tail(text)).toEqual(Buffer.from(packBytes([Buffer.from('Süd')])));
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
    const answer = await infer('FP32', { inputs, outputs });
    expect(answer.json()).toMatchObject({
      outputs: [{ datatype: 'BYTES', shape: [2, 2], data: ['0.75:1', '0.25:0', '1:0', '1:1'] }],
    });
    const best = [{ name: 'y', parameters: { classification: 1, binary_data: true } }];
    const binary = await infer('FP32', { inputs, outputs: best });
    expect(tail(binary)).toEqual(
      Buffer.from(packBytes([Buffer.from('0.75:1'), Buffer.from('1:0')])),
    );
  });

  it('is for numbers only', async () => {
    const inputs = [{ name: 'x', shape: [1, 2], datatype: 'BYTES', data: ['a', 'b'] }];
    const outputs = [{ name: 'y', parameters: { classification: 1 } }];
    expect((await infer('BYTES', { inputs, outputs })).error).toBe(
      'output "y": classification is for numbers, the output is BYTES',
    );
  });
});
