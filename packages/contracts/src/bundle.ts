import { z } from 'zod';
import { BundleInputs } from './bundle-inputs.ts';
import { BundleOutputs } from './bundle-outputs.ts';
import { Name } from './names.ts';

/**
 * `model.json` of a bundle: what goes into the model, and what its outputs mean. All pre- and post-processing is
 * data in here; a bundle holds no code. What a field of this schema means together with others is checked when the
 * bundle is read.
 */
export const BundleManifest = z.strictObject({
  v: z.literal(1),
  name: Name,
  version: z.string().min(1).max(64),
  description: z.string().max(1024).default(''),
  inputs: BundleInputs,
  outputs: BundleOutputs,
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
export type BundleManifest = Omit<z.infer<typeof BundleManifest>, 'inputs'> & {
  inputs: BundleInputs;
};

/** `golden.json`: inputs and the outputs that they must give within `tolerance`, absolute plus relative. */
export const GoldenOutputs = z.strictObject({
  tolerance: z.number().positive(),
  cases: z
    .array(
      z.strictObject({
        name: z.string(),
        /** `[row][signal]`, as the model sees it: after unit conversion, resampling and filling. */
        input: z.array(z.array(z.number())),
        score: z.number(),
        contributions: z.array(z.number()).optional(),
      }),
    )
    .min(1),
});
export type GoldenOutputs = z.infer<typeof GoldenOutputs>;
