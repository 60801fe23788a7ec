import { z } from 'zod';
import { SIGNALS_MAX } from './limits.ts';
import { Name } from './names.ts';

/** Bins of one sketch. Ten of equal weight are usual: more need larger windows, fewer miss what happens in the tails. */
export const BINS_MAX = 32;

/** Signals for which a distance is kept: its cost for each row grows with their square. */
export const DISTANCE_SIGNALS_MAX = 64;

/** Share of the rows in each bin, and how it varies. All that a test needs. */
export const Baseline = z.strictObject({
  /** Sums to 1. */
  fractions: z.array(z.number().min(0).max(1)).min(2).max(BINS_MAX),
  /**
   * How counts vary by chance when nothing has changed. Rows of a time series resemble their neighbours, so Pearson's
   * chi-square of `n` rows is that of independent ones times these, one for each degree of freedom, largest first:
   * a sum of so many chi-square variables with one degree each, weighted (Rao, Scott, Annals of Statistics 12, 1984: the
   * eigenvalues of the design effect). Independent rows: 1 each. The largest is about the integrated autocorrelation
   * time in rows: so many rows say as much as one independent row.
   */
  effects: z.array(z.number().positive()).min(1).max(BINS_MAX),
});
export type Baseline = z.infer<typeof Baseline>;

/** How often something that should not happen did, in the rows of the reference. */
export const Rate = z.strictObject({
  count: z.int().min(0),
  /** Rows in succession for each time that it happened; chance counts such times, not rows. */
  burst: z.number().min(1),
});
export type Rate = z.infer<typeof Rate>;

/** What may be said about one signal. */
export const SignalBaseline = Baseline.extend({
  name: Name,
  missing: Rate,
  /** Outside of the range in `model.json`. */
  outside: Rate,
});

/** What the forwarder needs of a reference. Travels beside scores now and then. */
export const DriftBaseline = z.strictObject({
  /** Rows that the reference was made from. */
  rows: z.int().min(1),
  signals: z.array(SignalBaseline).min(1).max(SIGNALS_MAX),
  score: Baseline,
  /** Distance of a row from the centre of training, over all signals together. */
  distance: Baseline.optional(),
});
export type DriftBaseline = z.infer<typeof DriftBaseline>;

/** Ascending; bin `k` holds `edges[k-1] <= value < edges[k]`, so there is one edge less than there are bins. */
const edges = z
  .array(z.number())
  .min(1)
  .max(BINS_MAX - 1)
  .refine((list) => list.every((edge, at) => at === 0 || edge > list[at - 1]!), {
    error: 'must ascend',
  });

/** A baseline, with what a row is sorted by. */
export const Sketch = Baseline.extend({
  edges,
  /** Smallest and largest value seen. */
  low: z.number(),
  high: z.number(),
}).refine((sketch) => sketch.edges.length + 1 === sketch.fractions.length, {
  error: 'must have one fraction more than edges',
});
export type Sketch = z.infer<typeof Sketch>;

/**
 * `reference.json` of a bundle, optional: what the training data looked like to the model, so that a site can tell
 * when its own does not any more. Values are those that the model is given, after any scaling of the bundle.
 */
export const BundleReference = z
  .strictObject({
    v: z.literal(1),
    rows: z.int().min(1),
    /** In the order of the tensor. */
    signals: z
      .array(
        SignalBaseline.extend({
          edges,
          low: z.number(),
          high: z.number(),
          /** Equal values in succession that never came in training: from so many on a signal is stuck. */
          stuckRows: z.int().min(2),
        }).refine((sketch) => sketch.edges.length + 1 === sketch.fractions.length, {
          error: 'must have one fraction more than edges',
        }),
      )
      .min(1)
      .max(SIGNALS_MAX),
    score: Sketch,
    /**
     * The distance is the sum of squares of `whiten * ((value - centre) / scale)`; `whiten` is lower-triangular, row by
     * row without its zeros, so that the sum is the Mahalanobis distance: the inverse covariance is its square.
     */
    distance: z
      .strictObject({
        centre: z.array(z.number()),
        width: z.array(z.number().positive()),
        whiten: z.array(z.array(z.number())),
        sketch: Sketch,
      })
      .optional(),
  })
  .refine(({ distance, signals }) => distance === undefined || fits(distance, signals.length), {
    error: `distance must have one centre, width and row for each of at most ${DISTANCE_SIGNALS_MAX} signals`,
  });
export type BundleReference = z.infer<typeof BundleReference>;

const fits = (
  distance: { centre: number[]; width: number[]; whiten: number[][] },
  signals: number,
): boolean =>
  signals <= DISTANCE_SIGNALS_MAX &&
  distance.centre.length === signals &&
  distance.width.length === signals &&
  distance.whiten.length === signals &&
  distance.whiten.every((row, at) => row.length === at + 1);

/** The part of a reference that travels. */
export function baselineOf({ rows, signals, score, distance }: BundleReference): DriftBaseline {
  const bare = ({ fractions, effects }: Baseline): Baseline => ({ fractions, effects });
  return {
    rows,
    signals: signals.map((signal) => {
      const { name, missing, outside } = signal;
      return { ...bare(signal), name, missing, outside };
    }),
    score: bare(score),
    ...(distance === undefined ? {} : { distance: bare(distance.sketch) }),
  };
}
