import type { ImageShape } from '@holdfast/contracts';
import type { Sharp } from 'sharp';
import { ScorerError } from '../errors.ts';
import { type Placement, placeImage } from './domain/placement.ts';
import { ImageError } from './errors.ts';

/** Limits of one image, before anything is decoded. A photograph of 50 megapixels is about 15 MB as JPEG. */
export const IMAGE_LIMITS = { bytesMax: 16 * 1024 * 1024, pixelsMax: 50_000_000 };

/** Images decoded at the same time, each by one thread of the pool and within some 10 MB; the others wait. */
const AT_ONCE = 2;
const WAITING_MAX = 32;
/** Longest time for one image in s: a file can be made to need many passes. */
const SECONDS_MAX = 10;
/** When to come again while too many wait, in ms: about what an image of a few megapixels takes. */
const RETRY_AFTER_MS = 100;

type Library = typeof import('sharp').default;

/**
 * The library is loaded with the first image: it takes memory that sites without pictures do not need. One decoder
 * thread an image, and no cache of files and operations: memory is what the images at work need.
 */
const library: { loaded?: Promise<Library> } = {};
function load(): Promise<Library> {
  library.loaded ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return library.loaded;
}

const KERNELS = { bilinear: 'linear', nearest: 'nearest', cubic: 'cubic' } as const;

export interface DecodedImage {
  /** `[height, width, 3]` of the tensor's size: red, green, blue. */
  pixels: Uint8Array;
  placement: Placement;
}

/** Decodes JPEG and PNG to the size that a model takes, outside of the event loop. */
export class ImageDecoder {
  #active = 0;
  readonly #waiting: (() => void)[] = [];

  /**
   * The way up is that of the EXIF orientation; transparency is dropped.
   * @throws ImageError; ScorerError QUEUE_FULL
   */
  async decode(bytes: Uint8Array, image: ImageShape): Promise<DecodedImage> {
    checkBytes(bytes);
    await this.#enter();
    try {
      return await decode(bytes, image);
    } catch (cause) {
      if (cause instanceof Error && cause.name === 'ImageError') throw cause;
      const { message } = cause as Error;
      const tooLarge = message.includes('exceeds pixel limit');
      throw tooLarge
        ? new ImageError('IMAGE_TOO_LARGE', tooManyPixels, { cause })
        : new ImageError('IMAGE_UNREADABLE', `the image cannot be decoded: ${message}`, { cause });
    } finally {
      this.#active -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #enter(): Promise<void> {
    if (this.#active >= AT_ONCE) {
      if (this.#waiting.length >= WAITING_MAX) {
        const message = `${WAITING_MAX} images wait to be decoded already`;
        throw new ScorerError('QUEUE_FULL', message, { retryAfterMs: RETRY_AFTER_MS });
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#active += 1;
  }
}

const tooManyPixels = `the image has more than ${IMAGE_LIMITS.pixelsMax} pixels`;

/** The decoder knows many more formats; these two are what cameras send, and all that it is handed. */
function checkBytes(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new ImageError('IMAGE_EMPTY', 'the image has no bytes');
  if (bytes.length > IMAGE_LIMITS.bytesMax) {
    const message = `the image has ${bytes.length} bytes, must have at most ${IMAGE_LIMITS.bytesMax}`;
    throw new ImageError('IMAGE_TOO_LARGE', message);
  }
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.length));
  const known = ['ffd8ff', '89504e470d0a1a0a'].some((magic) =>
    start.toString('hex').startsWith(magic),
  );
  if (!known) throw new ImageError('IMAGE_TYPE', 'the image is neither JPEG nor PNG');
}

async function decode(bytes: Uint8Array, image: ImageShape): Promise<DecodedImage> {
  const sharp = await load();
  const open = (): Sharp =>
    sharp(bytes, {
      limitInputPixels: IMAGE_LIMITS.pixelsMax,
      failOn: 'error',
      sequentialRead: true,
      // Models are trained on the numbers of the file, not on what a colour profile makes of them.
      ignoreIcc: true,
    });
  const { autoOrient: size } = await open().metadata();
  const placement = placeImage(size, image);
  const { source, target } = placement;
  const kernel = KERNELS[image.interpolation];
  let pipeline = open().autoOrient().removeAlpha().toColourspace('srgb');
  if (image.resize === 'crop') pipeline = pipeline.extract(source);
  pipeline = pipeline.resize({
    ...{ width: target.width, height: target.height, fit: 'fill', kernel },
    fastShrinkOnLoad: false,
  });
  if (image.resize === 'fit') {
    pipeline = pipeline.extend({
      left: target.left,
      top: target.top,
      right: image.width - target.width - target.left,
      bottom: image.height - target.height - target.top,
      background: { r: image.pad, g: image.pad, b: image.pad },
    });
  }
  const raw = await pipeline
    .timeout({ seconds: SECONDS_MAX })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { pixels: threeChannels(raw.data, raw.info.channels), placement };
}

/** Grey images come with one channel. */
function threeChannels(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = new Uint8Array((data.length / channels) * 3);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = data[Math.floor(at / 3) * channels]!;
  return pixels;
}
