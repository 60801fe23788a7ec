import { z } from 'zod';

const Tensor = z.string().min(1);
/** Names of the classes in the order of the tensor. */
const Labels = z.array(z.string().min(1).max(128)).min(1).max(1_024);

/** The model gives the score itself: float32 `[batch]` or `[batch, 1]`, and may give float32 `[batch, signal]` shares. */
export const ScoreOutputs = z.strictObject({
  kind: z.literal('score').optional(),
  score: Tensor,
  contributions: Tensor.optional(),
  /** The score is the tensor's value `* scale + offset`, for models whose value falls where it is strange. */
  scale: z.number().optional(),
  offset: z.number().optional(),
});
export type ScoreOutputs = z.infer<typeof ScoreOutputs>;

/** The model gives a number for each class, float32 `[batch, class]`. */
export const ClassOutputs = z.strictObject({
  kind: z.literal('class'),
  probabilities: Tensor,
  labels: Labels,
  /** What makes probabilities of the tensor's numbers; `none` if they are. */
  activation: z.enum(['none', 'softmax', 'sigmoid']).default('none'),
  /** The score is the sum of these classes' probabilities. */
  abnormal: Labels.optional(),
  /** The score is 1 less the sum of these classes' probabilities. Of an image with neither: the highest probability. */
  normal: Labels.optional(),
});
export type ClassOutputs = z.infer<typeof ClassOutputs>;

/**
 * The model gives the window again, float32 `[batch, rows, signal]`, or its newest row only, `[batch, signal]`. The
 * score and each signal's share in it are worked out from the differences.
 */
export const ReconstructionOutputs = z.strictObject({
  kind: z.literal('reconstruction'),
  reconstruction: Tensor,
  of: z.enum(['window', 'newest']).default('window'),
  /** The score: mean of the squares of the differences, its root, or mean of their sizes. */
  error: z.enum(['mean-square', 'root-mean-square', 'mean-absolute']).default('root-mean-square'),
  /** What a difference of each signal is divided by first, such as its standard deviation. 1 if absent. */
  spread: z.array(z.number().positive()).min(1).optional(),
});
export type ReconstructionOutputs = z.infer<typeof ReconstructionOutputs>;

const detection = {
  kind: z.literal('detection'),
  labels: Labels,
  /** Boxes below are left out. */
  confidenceMin: z.number().min(0).max(1).default(0.5),
  /** Of two boxes that overlap by more (intersection over union) the less sure is left out; 1 leaves all. */
  overlapMax: z.number().min(0).max(1).default(0.45),
  /** Whether that holds for boxes of one class only, or for any two. */
  overlapOf: z.enum(['class', 'all']).default('class'),
  detectionsMax: z.int().min(1).max(1_000).default(100),
};

/**
 * The model gives boxes: float32 `[batch, box, 4]` with their confidence float32 `[batch, box]` and class, int64 or
 * float32 `[batch, box]`; without the batch dimension where the model takes one image only.
 */
export const BoxOutputs = z.strictObject({
  ...detection,
  form: z.literal('boxes'),
  boxes: Tensor,
  scores: Tensor,
  classes: Tensor,
  /** Order of the four numbers: left, top, right, bottom; or centre and size. */
  corners: z
    .enum(['left-top-right-bottom', 'top-left-bottom-right', 'centre-size'])
    .default('left-top-right-bottom'),
  /** Whether they are 0 to 1 or pixels of the tensor. */
  unit: z.enum(['relative', 'pixels']).default('relative'),
  /** Number of the first label. */
  firstClass: z.int().min(0).max(1).default(0),
});
export type BoxOutputs = z.infer<typeof BoxOutputs>;

/**
 * The model gives the raw grid of a detector of the YOLO v2 kind, float32 `[batch, anchor * (5 + class), row, column]`;
 * for each anchor x, y, width, height, objectness and class logits.
 */
export const GridOutputs = z.strictObject({
  ...detection,
  form: z.literal('grid'),
  grid: Tensor,
  layout: z.enum(['NCHW', 'NHWC']).default('NCHW'),
  /** What makes the place of the centre in its cell, 0 to 1, of x and y; `none` if they are. */
  centre: z.enum(['sigmoid', 'none']).default('sigmoid'),
  /** Width and height of each anchor in cells. */
  anchors: z
    .array(z.tuple([z.number().positive(), z.number().positive()]))
    .min(1)
    .max(32),
});
export type GridOutputs = z.infer<typeof GridOutputs>;

/**
 * The model gives one column a candidate, float32 `[batch, 4 + class, candidate]`, as YOLO v8 and later exports do:
 * centre and size in pixels of the tensor, then a probability for each class.
 */
export const ColumnOutputs = z.strictObject({
  ...detection,
  form: z.literal('columns'),
  columns: Tensor,
});
export type ColumnOutputs = z.infer<typeof ColumnOutputs>;

/** The score of an image is the highest confidence of its boxes, 0 without one. */
export const DetectionOutputs = z.discriminatedUnion('form', [
  BoxOutputs,
  GridOutputs,
  ColumnOutputs,
]);
export type DetectionOutputs = z.infer<typeof DetectionOutputs>;

export const BundleOutputs = z.discriminatedUnion('kind', [
  ScoreOutputs,
  ClassOutputs,
  ReconstructionOutputs,
  DetectionOutputs,
]);
export type BundleOutputs = z.infer<typeof BundleOutputs>;
