import { z } from 'zod';
import { SIGNALS_MAX } from './limits.ts';
import { Name } from './names.ts';

/** One input signal of a model: order in the bundle is order in the tensor. */
export const BundleSignal = z.strictObject({
  name: Name,
  /** Of the value as it is read. */
  unit: z.string().min(1).max(32),
  /** Values outside are a broken sensor, not a rare state: the row is rejected. Of the value as it is read. */
  min: z.number().optional(),
  max: z.number().optional(),
  /** Unit conversion: the model sees `value * scale + offset`. 1 if absent. */
  scale: z.number().optional(),
  /** In the unit that the model sees. 0 if absent. */
  offset: z.number().optional(),
});
export type BundleSignal = z.infer<typeof BundleSignal>;

/** Brings rows of any distance to the model's period; see `WindowInputs.resample`. */
export const Resampling = z.strictObject({
  /**
   * What the model sees of a signal at a time: `last`, the newest value up to then; `linear`, the straight line
   * between the values around it, or the newest value if none is later; `mean`, the mean of the values of the period
   * that ends there.
   */
  method: z.enum(['last', 'mean', 'linear']),
  /** Shortest usual distance of two rows as they come in ms; with it the lookback is worked out. `periodMs` if absent. */
  sourcePeriodMs: z.int().min(1).optional(),
});

/** The tensor is float32 `[batch, rows, signal]` or `[batch, rows * signal]`; a window holds `rows` rows, oldest first. */
export const WindowInputs = z.strictObject({
  kind: z.literal('window').optional(),
  tensor: z.string().min(1),
  signals: z.array(BundleSignal).min(1).max(SIGNALS_MAX),
  /** Nominal distance of two rows in ms; with `resample` their exact distance. */
  periodMs: z.int().min(1),
  /** Rows in one window; 1 for a model without memory. Needs `rows - 1` rows of lookback. */
  rows: z.int().min(1).max(3_600),
  /**
   * A window must not bridge a hole longer than this many ms; after one it fills anew. A hole lies between two rows;
   * with `resample`, between two values of a signal.
   */
  gapMsMax: z.int().min(1),
  /**
   * A missing value in the window: `none`, a row with one is not scored; `hold`, the last value of the same window
   * stands in; `linear`, the straight line between the values of the same window around it does. With `resample` by
   * `mean`: what stands in for a period without a value; for other methods the question does not arise.
   */
  fill: z.enum(['none', 'hold', 'linear']).default('none'),
  /**
   * `hold`: a value stands in for at most so many ms after its row. `linear`: the values on both sides are at most so
   * far apart. Without limit inside the window if absent.
   */
  fillMsMax: z.int().min(1).optional(),
  /**
   * Only the first row of an asset in each stretch of so many ms, counted from 1970-01-01 UTC, is scored; the others
   * are unscored with code `between-hops`. Every row if absent.
   */
  hopMs: z.int().min(1).optional(),
  /** If present, a window is `rows` points of time `periodMs` apart that end at the time of the row to score. */
  resample: Resampling.optional(),
});
export type WindowInputs = z.infer<typeof WindowInputs>;

/** One number for all channels, or one for each in the order of `colour`. */
const PerChannel = z.union([z.number(), z.array(z.number()).min(1).max(3)]);

/** Pixels along one edge of the tensor. */
const Edge = z.int().min(1).max(4_096);

/**
 * The tensor is one image a row, `[batch, channel, height, width]` or `[batch, height, width, channel]`. A channel of a
 * pixel is 0 to 255; the model sees `(channel * scale - mean) / std`.
 */
const ImageFields = z.strictObject({
  kind: z.literal('image'),
  tensor: z.string().min(1),
  width: Edge,
  height: Edge,
  /** `stretch` to the size; `fit` inside with borders of `pad`; `crop` the middle that fills it. */
  resize: z.enum(['stretch', 'fit', 'crop']).default('stretch'),
  /** `bilinear` as most training code has it (smoothed when it makes smaller); `nearest`; `cubic`. */
  interpolation: z.enum(['bilinear', 'nearest', 'cubic']).default('bilinear'),
  /** Of the borders, each channel, before scaling. */
  pad: z.int().min(0).max(255).default(0),
  colour: z.enum(['RGB', 'BGR', 'grey']).default('RGB'),
  layout: z.enum(['NCHW', 'NHWC']).default('NCHW'),
  datatype: z.enum(['FP32', 'FP16', 'UINT8']).default('FP32'),
  scale: PerChannel.default(1),
  mean: PerChannel.default(0),
  std: PerChannel.default(1),
});

/** Parsed: `image` holds the fields, and what is said of windows is there but empty, so that code for windows finds none. */
export const ImageInputs = ImageFields.transform(
  ({ kind, tensor, ...image }): BundleInputs => ({
    kind,
    tensor,
    image,
    signals: [],
    periodMs: 1,
    rows: 1,
    gapMsMax: 1,
    fill: 'none',
  }),
);
export type ImageShape = Omit<z.infer<typeof ImageFields>, 'kind' | 'tensor'>;

export const BundleInputs = z.discriminatedUnion('kind', [WindowInputs, ImageInputs]);
export type BundleInputs = Omit<WindowInputs, 'kind'> & {
  kind?: 'window' | 'image' | undefined;
  /** There exactly for kind `image`. */
  image?: ImageShape | undefined;
};
