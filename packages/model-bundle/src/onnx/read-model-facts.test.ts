import { truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { type ModelFacts, readModelFacts } from '../index.ts';
import {
  declared,
  FLOAT,
  field,
  graph,
  message,
  model,
  node,
  operatorSet,
  STRING,
  tensor,
  varint,
} from '../testing/onnx-writer.ts';

const folder = temporaryFolder('facts');

async function facts(content: Buffer | string): Promise<ModelFacts> {
  const name = Buffer.isBuffer(content) ? join(folder, 'model.onnx') : content;
  if (Buffer.isBuffer(content)) writeFileSync(name, content);
  const file = await open(name);
  try {
    return await readModelFacts(file);
  } finally {
    await file.close();
  }
}
const refusal = (content: Buffer): Promise<{ code: string; message: string }> =>
  facts(content).then(
    () => ({ code: 'accepted', message: '' }),
    (error: unknown) => error as { code: string; message: string },
  );

/** A graph inside of an attribute of a node, `depth` graphs deep. */
const nested = (depth: number): Buffer =>
  graph({ nodes: [node('If', '', depth > 1 ? [field(6, nested(depth - 1))] : [])] });

describe('the facts of a model', () => {
  it('are read without running it', async () => {
    const file = join(process.cwd(), 'scenarios/pump-loop/bundle/model.onnx');
    const { operators, ...rest } = await facts(file);
    expect(rest).toMatchObject({
      irVersion: 9,
      inputs: [{ name: 'window', type: 'float32', shape: ['batch', 12, 8] }],
      outputs: [
        { name: 'score', type: 'float32', shape: ['batch'] },
        { name: 'contributions', type: 'float32', shape: ['batch', 8] },
      ],
      graphDepth: 1,
      externalData: [],
      functions: [],
    });
    expect([...rest.opsets]).toEqual([['', 17]]);
    expect(rest.weightBytes).toBeGreaterThan(4 * 1_000);
    expect([...operators.keys()]).toEqual(['']);
    expect(operators.get('')?.get('Concat')).toBeGreaterThan(0);
  });

  it('leave inputs out that have weights, as old files list them', async () => {
    const { inputs } = await facts(
      model({
        inputs: [declared('window', ['batch', 1, 2]), declared('weights', [2])],
        initialisers: [tensor()],
      }),
    );
    expect(inputs.map(({ name }) => name)).toEqual(['window']);
  });

  it('count nodes, weights and domains in inner graphs and constants too', async () => {
    const inner = graph({
      nodes: [node('Gelu', 'com.microsoft'), node('Constant', '', [field(5, tensor())])],
      initialisers: [tensor({ dims: [3], rawBytes: 12 })],
      inputs: [],
      outputs: [],
    });
    const found = await facts(model({ nodes: [node('If', 'ai.onnx', [field(6, inner)])] }));
    expect(found).toMatchObject({ nodes: 3, graphDepth: 2, parameters: 5, weightBytes: 20 });
    expect([...found.operators].map(([domain, kinds]) => [domain, ...kinds.keys()])).toEqual([
      ['com.microsoft', 'Gelu'],
      ['', 'Constant', 'If'],
    ]);
  });

  it.each([
    ['packed dimensions', tensor({ dims: [], rawBytes: 24, more: [field(1, [2, 3])] })],
    ['typed numbers, packed', tensor({ rawBytes: 0, more: [field(4, Buffer.alloc(8))] })],
    [
      'int64 numbers, one by one',
      tensor({ type: 7, rawBytes: 0, more: [field(7, 1), field(7, -1n)] }),
    ],
    ['text', tensor({ type: STRING, rawBytes: 0, more: [field(6, 'a'), field(6, '')] })],
    ['numbers of 4 bits', tensor({ type: 22, dims: [3], rawBytes: 2 })],
    ['no elements', tensor({ dims: [0, 1_000_000, 1_000_000], rawBytes: 0 })],
    ['one element and no dimensions', tensor({ dims: [], rawBytes: 4 })],
  ])('accept a tensor with %s', async (_, weights) => {
    expect((await refusal(model({ initialisers: [weights] }))).code).toBe('accepted');
  });

  it('are read in a moment and without memory from a file with 1 GB of weights', async () => {
    // A file with a hole: 1 GB of zeros that take no room on the disk.
    const weights = 2 ** 30;
    const name = join(folder, 'large.onnx');
    const tensorHead = message(field(1, weights / 4), field(2, FLOAT), field(8, 'large'));
    const raw = message(varint(9 * 8 + 2), varint(weights));
    const tensorLength = tensorHead.length + raw.length + weights;
    const initialiser = message(varint(5 * 8 + 2), varint(tensorLength), tensorHead, raw);
    const graphLength = initialiser.length + weights;
    const head = message(field(1, 9), operatorSet('', 17), varint(7 * 8 + 2), varint(graphLength));
    writeFileSync(name, message(head, initialiser));
    truncateSync(name, head.length + graphLength);
    const before = process.memoryUsage().rss;
    expect((await facts(name)).weightBytes).toBe(weights);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a model is refused by name', () => {
  it.each<[string, string, string, Buffer]>([
    ['is empty', 'BUNDLE_GARBLED', 'has no graph', Buffer.alloc(0)],
    ['is text', 'BUNDLE_GARBLED', 'wire type', Buffer.from('hello world')],
    ['is cut off', 'BUNDLE_GARBLED', 'more than are left', model().subarray(0, 40)],
    [
      'has two graphs, which protobuf would merge',
      'BUNDLE_GARBLED',
      'has "graph" twice',
      model({ ofModel: [field(7, graph())] }),
    ],
    [
      'has a number of 11 bytes',
      'BUNDLE_GARBLED',
      'more than 64 bits',
      message(Buffer.from([8]), Buffer.alloc(11, 0xff)),
    ],
    [
      'has a name where a number belongs',
      'BUNDLE_GARBLED',
      '"ir_version" with wire type 2',
      message(field(1, 'nine')),
    ],
    [
      'has weights that are shorter than their dimensions',
      'BUNDLE_GRAPH',
      'graph.initializer[0] "weights".raw_data: 8 bytes is not allowed, must be 4000000 bytes, as float32 [1000, 1000] has',
      model({ initialisers: [tensor({ dims: [1_000, 1_000] })] }),
    ],
    [
      'has weights that are longer than their dimensions',
      'BUNDLE_GRAPH',
      'raw_data: 12 bytes is not allowed, must be 8 bytes',
      model({ initialisers: [tensor({ rawBytes: 12 })] }),
    ],
    [
      'has dimensions without weights',
      'BUNDLE_GRAPH',
      'float_data: 0 values is not allowed, must be 1000000000 values',
      model({ initialisers: [tensor({ dims: [1e9], rawBytes: 0 })] }),
    ],
    [
      'has dimensions whose product is no size',
      'BUNDLE_GRAPH',
      'graph.initializer[0] "weights".dims: [4294967296, 4294967296]',
      model({ initialisers: [tensor({ dims: [2 ** 32, 2 ** 32] })] }),
    ],
    [
      'has a negative dimension',
      'BUNDLE_GRAPH',
      'must be sizes of a tensor that can be',
      model({ initialisers: [tensor({ dims: [-1n] })] }),
    ],
    [
      'has weights of a type that is none',
      'BUNDLE_GRAPH',
      'data_type: 77 is not allowed',
      model({ initialisers: [tensor({ type: 77 })] }),
    ],
    [
      'has the same weights in two forms',
      'BUNDLE_GRAPH',
      'must hold values of float32 [2] once',
      model({ initialisers: [tensor({ more: [field(4, Buffer.alloc(8))] })] }),
    ],
    [
      'says half-heartedly where its weights are',
      'BUNDLE_GRAPH',
      'data_location: 4294967297 is not allowed, must be 0 or 1',
      model({ initialisers: [tensor({ location: 2 ** 32 + 1 })] }),
    ],
    [
      'has two weights of one name',
      'BUNDLE_GRAPH',
      'graph.initializer[1]: "weights" is not allowed, must be there once',
      model({ initialisers: [tensor(), tensor()] }),
    ],
    [
      'has two inputs of one name',
      'BUNDLE_GRAPH',
      'graph.input[1]: "a" is not allowed, must be there once',
      model({ inputs: [declared('a', [1]), declared('a', [1])] }),
    ],
    [
      'has two outputs of one name',
      'BUNDLE_GRAPH',
      'graph.output[1]: "a" is not allowed',
      model({ outputs: [declared('a', [1]), declared('a', [1])] }),
    ],
    [
      'imports two versions of one operator set',
      'BUNDLE_GRAPH',
      'opset_import[""]: 17 and 18',
      model({ opsets: [operatorSet('', 17), operatorSet('ai.onnx', 18)] }),
    ],
    [
      'has few sparse weights of many dimensions, which the runtime fills up',
      'BUNDLE_LIMIT',
      'graph.sparse_initializer[0]: 4000000000016 bytes of weights up to here is not allowed, must be at most 2147483648',
      model({
        more: [
          field(
            15,
            message(
              field(1, tensor({ dims: [2] })),
              field(2, tensor({ dims: [2], type: 6 })),
              field(3, 1e12),
            ),
          ),
        ],
      }),
    ],
    [
      'has graphs in graphs in graphs',
      'BUNDLE_LIMIT',
      '17 graphs in each other is not allowed, must be at most 16',
      model({ nodes: [node('If', '', [field(6, nested(16))])] }),
    ],
    [
      'is nested deeper than protobuf goes',
      'BUNDLE_LIMIT',
      'nesting: 97 is not allowed, must be at most 96',
      model({ nodes: [node('If', '', [field(6, nested(200))])] }),
    ],
    [
      'has a name of a megabyte',
      'BUNDLE_LIMIT',
      'graph.node[0].op_type: 1000000 bytes is not allowed, must be at most 4096',
      model({ nodes: [node('R'.repeat(1_000_000))] }),
    ],
    [
      'has a tensor of 65 dimensions',
      'BUNDLE_LIMIT',
      'graph.initializer[0].dims: 65 is not allowed, must be at most 64',
      model({ initialisers: [tensor({ dims: new Array(65).fill(1) })] }),
    ],
    [
      'has inputs without end',
      'BUNDLE_LIMIT',
      '16385 inputs is not allowed, must be at most 16384',
      model({ inputs: Array.from({ length: 20_000 }, (_, index) => declared(`${index}`, [])) }),
    ],
    [
      'has nodes without end',
      'BUNDLE_LIMIT',
      'graph: 250001 nodes is not allowed, must be at most 250000',
      model({ nodes: new Array(250_001).fill(field(4, 'A')) }),
    ],
    [
      'has external weights of another length than their dimensions say',
      'BUNDLE_EXTERNAL_DATA',
      'offset 0, length 9 is not allowed, must be whole numbers, and the length 8 bytes',
      model({ initialisers: [tensor({ external: { location: 'w', offset: '0', length: '9' } })] }),
    ],
    [
      'has external weights at an offset that is no number',
      'BUNDLE_EXTERNAL_DATA',
      'offset 0x10, length undefined is not allowed',
      model({ initialisers: [tensor({ external: { location: 'w', offset: '0x10' } })] }),
    ],
  ])('that %s', async (_, code, words, content) => {
    const error = await refusal(content);
    expect(error.message).toContain(words);
    expect(error.code).toBe(code);
  });

  it('whose field count would take minutes', async () => {
    const name = join(folder, 'fields.onnx');
    writeFileSync(name, Buffer.alloc(200_000, Buffer.from([8, 9])));
    const file = await open(name);
    const limits = { ...(await import('../index.ts')).MODEL_LIMITS, fieldsMax: 50_000 };
    await expect(readModelFacts(file, limits)).rejects.toMatchObject({
      code: 'BUNDLE_LIMIT',
      message: expect.stringContaining('fields: 50001 is not allowed, must be at most 50000'),
    });
    await file.close();
  });
});
