import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageShape } from '@holdfast/contracts';
import { describe, expect, it } from '@jest/globals';
import sharp from 'sharp';
import { imageTensor } from './domain/image-tensor.ts';
import { ImageDecoder } from './image-decoder.ts';

const IMAGES = join(process.cwd(), 'test/inference/fixtures/images');
const read = (file: string): Buffer => readFileSync(join(IMAGES, file));
/** What PIL and numpy make of the same files: make_images.py beside them. */
const expected = JSON.parse(String(read('expected.json'))) as Record<
  string,
  { file: string; pixels: number[] }
>;
const shape: ImageShape = {
  ...{ width: 16, height: 12, resize: 'stretch', interpolation: 'bilinear', pad: 0 },
  ...{ colour: 'RGB', layout: 'NHWC', datatype: 'FP32', scale: 1, mean: 0, std: 1 },
};
const decoder = new ImageDecoder();
const failureOf = (bytes: Uint8Array) => decoder.decode(bytes, shape).catch((error) => error);

describe('an image', () => {
  it.each<[string, Partial<ImageShape>, number]>([
    ['stretch down, bilinear', {}, 1],
    ['stretch down, cubic', { interpolation: 'cubic' }, 1],
    ['stretch down, nearest', { interpolation: 'nearest', width: 15, height: 10 }, 0],
    ['jpeg', {}, 1],
    ['turned', { width: 12, height: 16 }, 1],
    ['grey file', {}, 1],
    ['to grey', { colour: 'grey' }, 1],
    ['crop', { resize: 'crop', height: 16 }, 1],
    ['fit', { resize: 'fit', width: 24, height: 24, pad: 114 }, 1],
    // Colours are multiplied by the opacity while it is made smaller, and divided afterwards: two roundings.
    ['alpha', {}, 3],
  ])('is what PIL makes of it within a few of 255 steps: %s', async (name, change, meanMax) => {
    const { file, pixels } = expected[name]!;
    const image = { ...shape, ...change };
    const decoded = await decoder.decode(read(file), image);
    const found = imageTensor('data', decoded.pixels, image).data as Float32Array;
    expect(found).toHaveLength(pixels.length);
    const differences = pixels.map((value, index) => Math.abs(value - found[index]!));
    const mean = differences.reduce((sum, one) => sum + one, 0) / pixels.length;
    expect(mean).toBeLessThanOrEqual(meanMax);
    expect(Math.max(...differences)).toBeLessThanOrEqual(8);
  });

  it('keeps its size and the way up that its EXIF orientation says', async () => {
    const { placement } = await decoder.decode(read('turned.jpg'), shape);
    expect(placement.image).toEqual({ width: 80, height: 120 });
  });

  it.each<[string, () => Buffer, string]>([
    ['no bytes', () => Buffer.alloc(0), 'IMAGE_EMPTY'],
    ['text', () => Buffer.from('hello'), 'IMAGE_TYPE'],
    [
      'a drawing that the decoder would know',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      'IMAGE_TYPE',
    ],
    ['only the start of a JPEG', () => read('scene.jpg').subarray(0, 900), 'IMAGE_UNREADABLE'],
    ['only the start of a PNG', () => read('scene.png').subarray(0, 900), 'IMAGE_UNREADABLE'],
    [
      'a PNG with a byte changed',
      () => {
        const bytes = read('scene.png');
        bytes[1_000]! ^= 0xff;
        return bytes;
      },
      'IMAGE_UNREADABLE',
    ],
    [
      'too many bytes',
      () => Buffer.concat([read('scene.jpg'), Buffer.alloc(2 ** 24)]),
      'IMAGE_TOO_LARGE',
    ],
  ])('of %s is refused', async (_, bytes, code) => {
    expect(await failureOf(bytes())).toMatchObject({ code });
  });

  it('of more pixels than are allowed is refused by its header, whatever follows', async () => {
    // Eight thousand times eight thousand pixels of one colour are some 200 kB.
    const bomb = await sharp({
      create: { width: 8_000, height: 8_000, channels: 3, background: '#000' },
    })
      .png()
      .toBuffer();
    expect(bomb.length).toBeLessThan(300_000);
    expect(await failureOf(bomb)).toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: 'the image has more than 50000000 pixels',
    });
  });

  it('waits for its turn, and is sent away when too many wait', async () => {
    const crowded = new ImageDecoder();
    const results = await Promise.allSettled(
      Array.from({ length: 40 }, () => crowded.decode(read('scene.png'), shape)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(6);
    expect(refused[0]?.reason).toMatchObject({ code: 'QUEUE_FULL', retryAfterMs: 100 });
    await crowded.decode(read('scene.png'), shape);
  });
});
