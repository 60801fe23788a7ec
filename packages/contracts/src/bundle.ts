import { z } from 'zod';
import { SIGNALS_MAX } from './limits.ts';
import { type LookbackRows, Name } from './names.ts';

/** One input signal of a model: order in the bundle is order in the tensor. */
export const BundleSignal = z.strictObject({
  name: Name,
  unit: z.string().min(1).max(32),
  /** Values outside are a broken sensor, not a rare state: the row is rejected. */
  min: z.number().optional(),
  max: z.number().optional(),
});

/**
 * `model.json` of a bundle. The ONNX input is float32 `[batch, rows, signal]` and holds `rows` consecutive rows,
 * oldest first; the outputs are `score` float32 `[batch]` and, optionally, `contributions` float32 `[batch, signal]`.
 */
export const BundleManifest = z.strictObject({
  v: z.literal(1),
  name: Name,
  version: z.string().min(1).max(64),
  description: z.string().max(1024).default(''),
  inputs: z.strictObject({
    tensor: z.string().min(1),
    signals: z.array(BundleSignal).min(1).max(SIGNALS_MAX),
    /** Nominal distance of two rows in ms. */
    periodMs: z.int().min(1),
    /** Rows in one window; 1 for a model without memory. Needs `rows - 1` rows of lookback. */
    rows: z.int().min(1).max(3_600),
    /** A window must not bridge a hole longer than this many ms; after one it fills anew. */
    gapMsMax: z.int().min(1),
    /** `none`: a row with a missing value is not scored. `hold`: the last value of the same window stands in. */
    fill: z.enum(['none', 'hold']).default('none'),
  }),
  outputs: z.strictObject({
    score: z.string().min(1),
    contributions: z.string().min(1).optional(),
  }),
  levels: z
    .strictObject({ warning: z.number(), alarm: z.number() })
    .refine((levels) => levels.warning < levels.alarm, { error: 'warning must be below alarm' }),
  opset: z.int().min(7).max(26),
  /** What the model may cost on the machine that loads it; one that costs more is refused there. */
  budget: z
    .strictObject({
      /** One run of one window, in ms. */
      runMs: z.number().positive().optional(),
      /** Growth of the resident memory by loading and warming up, in MB. */
      memoryMb: z.number().positive().optional(),
    })
    .optional(),
  /** SHA-256 of every other file of the bundle, `<file>: sha256:<hex>`. */
  files: z.record(z.string(), z.string().regex(/^sha256:[0-9a-f]{64}$/)),
});
export type BundleManifest = z.infer<typeof BundleManifest>;

/** `golden.json`: inputs and the outputs that they must give within `tolerance`, absolute plus relative. */
export const GoldenOutputs = z.strictObject({
  tolerance: z.number().positive(),
  cases: z
    .array(
      z.strictObject({
        name: z.string(),
        /** `[row][signal]`. */
        input: z.array(z.array(z.number())),
        score: z.number(),
        contributions: z.array(z.number()).optional(),
      }),
    )
    .min(1),
});
export type GoldenOutputs = z.infer<typeof GoldenOutputs>;

/** Rows of lookback that a bundle demands. */
export const lookbackOf = (manifest: BundleManifest): z.infer<typeof LookbackRows> =>
  manifest.inputs.rows - 1;
