import type { ImageShape } from '@holdfast/contracts';
import type { Tensor, TensorSpec } from '../../domain/tensor.ts';
import { toHalf } from './half.ts';

/** Places of red, green and blue in a pixel. */
const ORDER = { RGB: [0, 1, 2], BGR: [2, 1, 0] } as const;

/**
 * The tensor of one image. `pixels` is `[height, width, 3]`, red, green and blue, 0 to 255, of the size of the tensor.
 * Grey is the luma of ITU-R BT.601, as most training code has it.
 */
export function imageTensor(name: string, pixels: Uint8Array, image: ImageShape): Tensor {
  const { width, height, layout, datatype } = image;
  const channels = image.colour === 'grey' ? 1 : 3;
  const area = width * height;
  const data = roomFor(datatype, area * channels);
  const tables = Array.from({ length: channels }, (_, channel) => table(image, channel));
  for (let channel = 0; channel < channels; channel += 1) {
    const values = tables[channel]!;
    const from = image.colour === 'grey' ? -1 : ORDER[image.colour][channel]!;
    const start = layout === 'NCHW' ? channel * area : channel;
    const step = layout === 'NCHW' ? 1 : channels;
    for (let pixel = 0; pixel < area; pixel += 1) {
      const byte = from < 0 ? luma(pixels, pixel * 3) : pixels[pixel * 3 + from]!;
      data[start + pixel * step] = values[byte]!;
    }
  }
  const inner = layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  return { name, datatype, shape: [1, ...inner], data };
}

/** The same with as many dimensions as the model declares: some take one image, without a batch. */
export function imageInput(
  pixels: Uint8Array,
  { tensor: name, image }: { tensor: string; image: ImageShape },
  declared: readonly TensorSpec[],
): Tensor {
  const tensor = imageTensor(name, pixels, image);
  const rank = declared.find((input) => input.name === name)?.shape.length;
  return rank === tensor.shape.length - 1 ? { ...tensor, shape: tensor.shape.slice(1) } : tensor;
}

const roomFor = (datatype: ImageShape['datatype'], length: number) => {
  if (datatype === 'UINT8') return new Uint8Array(length);
  return datatype === 'FP16' ? new Uint16Array(length) : new Float32Array(length);
};

/** What the model sees of each of the 256 values of a channel. */
function table({ scale, mean, std, datatype }: ImageShape, channel: number): Float64Array {
  const of = (given: number | number[]): number => (Array.isArray(given) ? given[channel]! : given);
  return Float64Array.from({ length: 256 }, (_, byte) => {
    const value = (byte * of(scale) - of(mean)) / of(std);
    return datatype === 'FP16' ? toHalf(value) : value;
  });
}

/** In whole numbers, 16 bits behind the point, rounded. */
const luma = (pixels: Uint8Array, at: number): number =>
  (pixels[at]! * 19_595 + pixels[at + 1]! * 38_470 + pixels[at + 2]! * 7_471 + 0x8000) >> 16;
