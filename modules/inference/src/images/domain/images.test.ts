import type { ColumnOutputs, GridOutputs, ImageShape } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Tensor } from '../../domain/tensor.ts';
import { type Candidate, candidatesOf } from './candidates.ts';
import { fromHalf, toHalf } from './half.ts';
import { imageTensor } from './image-tensor.ts';
import { ontoImage, placeImage } from './placement.ts';
import { overlap, suppress } from './suppress.ts';

const shape: ImageShape = {
  ...{ width: 2, height: 1, resize: 'stretch', interpolation: 'bilinear', pad: 0 },
  ...{ colour: 'RGB', layout: 'NCHW', datatype: 'FP32', scale: 1, mean: 0, std: 1 },
};
const pixels = Uint8Array.of(10, 20, 30, 40, 50, 60);
const tensorOf = (change: Partial<ImageShape>) => {
  const { shape: dims, data } = imageTensor('data', pixels, { ...shape, ...change });
  return [dims, [...(data as Float32Array)]];
};
const tensor = (dims: number[], values: number[]): Tensor => ({
  ...{ name: 'out', datatype: 'FP32', shape: dims },
  data: Float32Array.from(values),
});

describe('the tensor of an image', () => {
  it('has its channels and dimensions in the order of the manifest', () => {
    expect(tensorOf({})).toEqual([
      [1, 3, 1, 2],
      [10, 40, 20, 50, 30, 60],
    ]);
    expect(tensorOf({ colour: 'BGR' })[1]).toEqual([30, 60, 20, 50, 10, 40]);
    expect(tensorOf({ layout: 'NHWC', colour: 'BGR' })).toEqual([
      [1, 1, 2, 3],
      [30, 20, 10, 60, 50, 40],
    ]);
    // 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15
    expect(tensorOf({ colour: 'grey' })).toEqual([
      [1, 1, 1, 2],
      [18, 48],
    ]);
  });

  it('holds scaled numbers, bytes or halves', () => {
    const scaled = { scale: 0.5, mean: [1, 2, 3], std: [1, 2, 4] };
    expect(tensorOf(scaled)[1]).toEqual([4, 19, 4, 11.5, 3, 6.75]);
    const bytes = imageTensor('data', pixels, { ...shape, datatype: 'UINT8' });
    expect(bytes.data).toEqual(Uint8Array.of(10, 40, 20, 50, 30, 60));
    const halves = imageTensor('data', pixels, { ...shape, datatype: 'FP16', scale: 1 / 255 });
    expect([...(halves.data as Uint16Array)].map(fromHalf)[0]).toBeCloseTo(10 / 255, 4);
  });

  it('has halves as the language has them, for every half and for what lies between', () => {
    // Not in the types of this target yet.
    const Halves = (globalThis as unknown as { Float16Array: typeof Float32Array }).Float16Array;
    const native = (value: number) => new Halves([value])[0]!;
    for (let half = 0; half < 0x10000; half += 1) {
      const value = fromHalf(half);
      if (!Number.isNaN(value) && toHalf(value) !== half) throw new Error(`${half}`);
    }
    fc.assert(
      fc.property(
        fc.float({ noNaN: true }),
        fc.float({ min: -7e4, max: 7e4, noNaN: true }),
        (one, two) => {
          for (const value of [one, two]) expect(fromHalf(toHalf(value))).toBe(native(value));
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('the place of an image in the tensor', () => {
  it('is found again for every box, however the image was made to fit', () => {
    const size = fc.record({
      width: fc.integer({ min: 1, max: 5_000 }),
      height: fc.integer({ min: 1, max: 5_000 }),
    });
    const resize = fc.constantFrom('stretch' as const, 'fit' as const, 'crop' as const);
    fc.assert(
      fc.property(size, size, resize, (image, target, how) => {
        const placement = placeImage(image, { ...target, resize: how });
        const { source, target: area } = placement;
        for (const [inner, outer] of [
          [source, image],
          [area, target],
        ] as const) {
          expect(inner.left).toBeGreaterThanOrEqual(0);
          expect(inner.left + inner.width).toBeLessThanOrEqual(outer.width);
          expect(inner.width).toBeGreaterThan(0);
          expect(inner.top + inner.height).toBeLessThanOrEqual(outer.height);
        }
        const [left, top] = [area.left / target.width, area.top / target.height];
        const corners = [
          left,
          top,
          left + area.width / target.width,
          top + area.height / target.height,
        ] as const;
        const found = ontoImage(corners, placement)!;
        expect(found[0]).toBeCloseTo(source.left / image.width, 6);
        expect(found[3]).toBeCloseTo((source.top + source.height) / image.height, 6);
      }),
    );
  });

  it('of a box in the border is nowhere', () => {
    const placement = placeImage(
      { width: 100, height: 50 },
      { width: 10, height: 10, resize: 'fit' },
    );
    expect(placement.target).toEqual({ left: 0, top: 2, width: 10, height: 5 });
    expect(ontoImage([0, 0, 1, 0.1], placement)).toBeUndefined();
    expect(ontoImage([0, 0, 1, 0.45], placement)).toEqual([0, 0, 1, 0.5]);
  });
});

const labels = ['ant', 'bee'];
const common = {
  kind: 'detection' as const,
  labels,
  confidenceMin: 0.5,
  overlapMax: 0.5,
  overlapOf: 'class' as const,
  detectionsMax: 10,
};
const size = { width: 100, height: 50 };

describe('the boxes of a model', () => {
  const boxes = {
    ...common,
    ...{ form: 'boxes' as const, boxes: 'b', scores: 's', classes: 'c', firstClass: 0 },
    ...{ corners: 'left-top-right-bottom' as const, unit: 'relative' as const },
  };
  const outputs = (four: number[], score: number, label: number) => [
    tensor([1, 1, 4], four),
    tensor([1, 1], [score]),
    { name: 'c', datatype: 'INT64' as const, shape: [1, 1], data: BigInt64Array.of(BigInt(label)) },
  ];

  it('are taken as they come, in each order of the numbers', () => {
    const found = (change: object, four: number[]) =>
      candidatesOf(outputs(four, 0.75, 1), { ...boxes, ...change }, size)[0]?.box.map((part) =>
        Number(part.toFixed(5)),
      );
    expect(found({}, [0.1, 0.2, 0.3, 0.6])).toEqual([0.1, 0.2, 0.3, 0.6]);
    expect(found({ corners: 'top-left-bottom-right' }, [0.2, 0.1, 0.6, 0.3])).toEqual([
      0.1, 0.2, 0.3, 0.6,
    ]);
    const pixelsOf = { corners: 'centre-size', unit: 'pixels' };
    expect(found(pixelsOf, [20, 20, 20, 20])).toEqual([0.1, 0.2, 0.3, 0.6]);
    expect(candidatesOf(outputs([0, 0, 1, 1], 0.4, 1), boxes, size)).toEqual([]);
  });

  it('with a class, a place or a confidence that cannot be are a failure', () => {
    const all = [0, 0, 1, 1];
    expect(() => candidatesOf(outputs(all, 0.9, 2), boxes, size)).toThrow('must be 0 to 1');
    expect(() => candidatesOf(outputs(all, Number.NaN, 0), boxes, size)).toThrow(
      'confidence is NaN',
    );
    expect(() => candidatesOf(outputs([0, 0, Number.NaN, 1], 0.9, 0), boxes, size)).toThrow(
      'box is at',
    );
    expect(() => candidatesOf(outputs([0, 0, 1], 0.9, 0), boxes, size)).toThrow('hold 3, 1 and 1');
  });

  it('of columns are in pixels, with the likeliest class', () => {
    const columns: ColumnOutputs = { ...common, form: 'columns', columns: 'o' };
    // Two candidates: x, y, width, height and two classes, row by row.
    const values = [20, 50, 20, 25, 20, 10, 20, 10, 0.25, 0.25, 0.75, 0.375];
    expect(candidatesOf([tensor([1, 6, 2], values)], columns, size)).toEqual([
      { label: 1, confidence: 0.75, box: [0.1, 0.2, 0.3, 0.6] },
    ]);
    expect(() => candidatesOf([tensor([1, 5, 2], values.slice(2))], columns, size)).toThrow(
      'must have 6 rows',
    );
  });

  it('of a grid are decoded by cell and anchor', () => {
    const grid: GridOutputs = {
      ...common,
      ...{ form: 'grid', grid: 'g', layout: 'NCHW', centre: 'sigmoid', confidenceMin: 0.01 },
      anchors: [
        [1, 1],
        [2, 0.5],
      ],
    };
    // Two rows and four columns; only the second anchor of row 1, column 2 is sure.
    const depth = 7;
    const values = new Array(2 * depth * 8).fill(-20);
    const set = (channel: number, value: number) => {
      values[(depth + channel) * 8 + 4 + 2] = value;
    };
    set(0, 0);
    set(1, Math.log(3));
    set(2, Math.log(2));
    set(3, 0);
    set(4, Math.log(4));
    set(5, 0);
    set(6, Math.log(3));
    const [only, ...others] = candidatesOf([tensor([1, 14, 2, 4], values)], grid, size);
    expect(others).toEqual([]);
    expect(only?.label).toBe(1);
    expect(only?.confidence).toBeCloseTo(0.8 * 0.75, 6);
    // Centre (2 + 0.5) / 4, (1 + 0.75) / 2; width 2 * 2 / 4, height 0.5 / 2.
    const box = [0.625 - 0.5, 0.875 - 0.125, 0.625 + 0.5, 0.875 + 0.125];
    for (const [index, part] of only!.box.entries()) expect(part).toBeCloseTo(box[index]!, 6);
    const plain = candidatesOf([tensor([1, 14, 2, 4], values)], { ...grid, centre: 'none' }, size);
    expect(plain[0]?.box[0]).toBeCloseTo(2 / 4 - 0.5, 6);
  });
});

describe('suppression', () => {
  const box = fc
    .tuple(
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
    )
    .map(([x, y, width, height]) => [x, y, x + width, y + height] as const);
  const candidate: fc.Arbitrary<Candidate> = fc.record({
    label: fc.nat(1),
    confidence: fc.integer({ min: 1, max: 20 }).map((part) => part / 20),
    box,
  });

  it('keeps the surer of two that overlap, and every box that no surer one covers', () => {
    const grid: GridOutputs = {
      ...common,
      form: 'grid',
      grid: 'g',
      layout: 'NCHW',
      centre: 'sigmoid',
      anchors: [[1, 1]],
      detectionsMax: 1_000,
    };
    fc.assert(
      fc.property(fc.array(candidate, { maxLength: 40 }), fc.boolean(), (candidates, all) => {
        const outputs = { ...grid, overlapOf: all ? ('all' as const) : ('class' as const) };
        const kept = suppress(candidates, outputs);
        const covers = (one: Candidate, two: Candidate) =>
          (all || one.label === two.label) && overlap(one.box, two.box) > 0.5;
        for (const [index, one] of kept.entries()) {
          expect(
            kept
              .slice(index + 1)
              .every((other) => other.confidence <= one.confidence && !covers(one, other)),
          ).toBe(true);
        }
        for (const lost of candidates.filter((one) => !kept.includes(one))) {
          expect(kept.some((one) => one.confidence >= lost.confidence && covers(one, lost))).toBe(
            true,
          );
        }
        expect(suppress(candidates, { ...outputs, detectionsMax: 2 })).toEqual(kept.slice(0, 2));
      }),
    );
  });

  it('measures overlap as intersection over union', () => {
    expect(overlap([0, 0, 2, 2], [1, 1, 3, 3])).toBeCloseTo(1 / 7);
    expect(overlap([0, 0, 1, 1], [1, 0, 2, 1])).toBe(0);
    expect(overlap([0, 0, 1, 1], [0, 0, 1, 1])).toBe(1);
  });
});
