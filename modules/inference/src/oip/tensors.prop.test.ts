/**
 * Goal: no tensor changes on its way, in either form, flat or nested, and no text makes the reader fail in another way
 * than by a refusal. Method: tensors of every data type and many shapes through JSON and binary form and back; texts
 * that are nearly requests.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DATATYPE_BYTES, type Datatype, type Tensor, type TensorData } from '../domain/tensor.ts';
import { bindInputs } from './bind-request.ts';
import { readInferRequest } from './infer-request.ts';
import { parseJson } from './json-text.ts';
import { fromBinary, toBinary } from './tensor-binary.ts';
import { fromJson, toJson } from './tensor-json.ts';

const whole = (low: bigint, high: bigint) => fc.bigInt(low, high);
const small = (low: number, high: number) => fc.integer({ min: low, max: high });

/** Elements as they stand in JSON. */
const ELEMENTS: Partial<Record<Datatype, fc.Arbitrary<unknown>>> = {
  BOOL: fc.boolean(),
  UINT8: small(0, 255),
  UINT16: small(0, 65_535),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: whole(0n, 2n ** 64n - 1n),
  INT8: small(-128, 127),
  INT16: small(-32_768, 32_767),
  INT32: fc.integer(),
  INT64: whole(-(2n ** 63n), 2n ** 63n - 1n),
  FP32: fc.float({ noNaN: true, noDefaultInfinity: true }),
  FP64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  BYTES: fc.string({ unit: 'grapheme' }),
};

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const product = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);

const jsonTensors = fc
  .tuple(fc.constantFrom(...(Object.keys(ELEMENTS) as Datatype[])), shapes)
  .chain(([datatype, shape]) =>
    fc.record({
      datatype: fc.constant(datatype),
      shape: fc.constant(shape),
      elements: fc.array(ELEMENTS[datatype]!, {
        minLength: product(shape),
        maxLength: product(shape),
      }),
      nested: fc.boolean(),
    }),
  );

/** Not in the types of this version of TypeScript. */
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

/** JSON with whole numbers of any size, which JSON.stringify does not have. */
const stringify = (value: unknown): string =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? rawJson(String(part)) : part));

function nest(elements: readonly unknown[], [size, ...rest]: readonly number[]): unknown {
  if (size === undefined) return elements[0];
  const each = product(rest);
  return Array.from({ length: size }, (_, at) =>
    nest(elements.slice(at * each, (at + 1) * each), rest),
  );
}

const textOf = (tensor: Tensor): string => [...toJson(tensor, 'output "y"')].join('');

describe('a tensor', () => {
  it('is the same after JSON, flat or nested, with every number as it was', () => {
    fc.assert(
      fc.property(jsonTensors, ({ datatype, shape, elements, nested }) => {
        const data = nested && shape.length > 0 ? nest(elements, shape) : elements;
        const text = stringify({ inputs: [{ name: 'x', datatype, shape, data }] });
        const request = readInferRequest(parseJson(Buffer.from(text)));
        const [tensor] = bindInputs(request, new Uint8Array(), [{ name: 'x', datatype, shape }]);
        // -0 has no form of its own in JSON.
        const expected = elements.map((element) => (element === 0 ? 0 : element));
        expect(textOf(tensor!)).toBe(stringify(expected));
      }),
      { numRuns: 1_000 },
    );
  });

  it('is the same after its binary form, wherever it begins', () => {
    const tensors = fc
      .tuple(fc.constantFrom(...(Object.keys(DATATYPE_BYTES) as Datatype[])), shapes)
      .chain(([datatype, shape]) => {
        const count = product(shape);
        const size = DATATYPE_BYTES[datatype];
        const bytes =
          datatype === 'BOOL' ? fc.integer({ min: 0, max: 1 }) : fc.integer({ min: 0, max: 255 });
        const data =
          datatype === 'BYTES'
            ? fc
                .array(fc.uint8Array({ maxLength: 9 }), { minLength: count, maxLength: count })
                .map((elements) => toBinary(elements as TensorData))
            : fc
                .array(bytes, { minLength: count * size, maxLength: count * size })
                .map((all) => Uint8Array.from(all));
        return fc.tuple(fc.constant({ datatype, shape }), data, fc.integer({ min: 0, max: 15 }));
      });
    fc.assert(
      fc.property(tensors, ([tensor, bytes, offset]) => {
        const body = new Uint8Array(bytes.length + offset);
        body.set(bytes, offset);
        const data = fromBinary(tensor, body.subarray(offset), 'input "x"');
        expect(Buffer.from(toBinary(data))).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 1_000 },
    );
  });

  it('that has one byte too many or too few is refused', () => {
    const types = Object.keys(DATATYPE_BYTES) as Datatype[];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        shapes,
        fc.constantFrom(-1, 1),
        (datatype, shape, more) => {
          const length = product(shape) * (DATATYPE_BYTES[datatype] || 4) + more;
          fc.pre(length >= 0);
          expect(() =>
            fromBinary({ datatype, shape }, new Uint8Array(length), 'input "x"'),
          ).toThrow('input "x": ');
        },
      ),
    );
  });

  it('with another count of elements than its shape has is refused', () => {
    fc.assert(
      fc.property(jsonTensors, fc.constantFrom(-1, 1), ({ datatype, shape, elements }, more) => {
        fc.pre(elements.length + more >= 0);
        const data = [...elements, elements[0] ?? 0].slice(0, elements.length + more);
        expect(() => fromJson({ datatype, shape }, data, 'input "x"')).toThrow('input "x": data: ');
      }),
    );
  });
});

describe('a text', () => {
  it('is read as JSON.parse reads it, unless it is refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.json().map((text) => `{"datatype":"INT64","a":${text}}`),
        ),
        (text) => {
          const again = JSON.parse(stringify(parseJson(Buffer.from(text))));
          expect(JSON.stringify(again)).toBe(JSON.stringify(JSON.parse(text)));
        },
      ),
    );
  });

  it('that is broken anywhere is refused with a sentence, never with an accident', () => {
    const text = stringify({
      id: 'a',
      parameters: { priority: 1, binary_data_output: true },
      inputs: [{ name: 'x', shape: [2, 1], datatype: 'INT64', data: [[2n ** 60n], [-1]] }],
      outputs: [{ name: 'y', parameters: { classification: 2 } }],
    });
    const bytes = Buffer.from(text);
    const edits = fc.tuple(fc.nat(bytes.length - 1), fc.nat(3), fc.uint8Array({ maxLength: 3 }));
    fc.assert(
      fc.property(edits, ([at, cut, put]) => {
        const edited = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
        try {
          const request = readInferRequest(parseJson(edited));
          bindInputs(request, new Uint8Array(), [{ name: 'x', datatype: 'INT64', shape: [-1, 1] }]);
        } catch (error) {
          expect(error).toMatchObject({ code: 'API_REFUSED', status: 400 });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
