import {
  type BundleManifest,
  type ClassOutputs,
  type DetectionOutputs,
  type Level,
  type ModelIdentity,
  outputNames,
} from '@holdfast/contracts';
import type { ModelRunner, RunRequest } from '../domain/model-runner.ts';
import { roundScore } from '../domain/outcome.ts';
import { probabilitiesOf } from '../domain/probabilities.ts';
import type { Tensor } from '../domain/tensor.ts';
import { ScorerError } from '../errors.ts';
import { candidatesOf } from './domain/candidates.ts';
import { imageInput } from './domain/image-tensor.ts';
import { numbersFrom } from './domain/numbers.ts';
import { ontoImage, type Placement, type Size } from './domain/placement.ts';
import { suppress } from './domain/suppress.ts';
import { ImageError } from './errors.ts';
import type { ImageDecoder } from './image-decoder.ts';

/** What a model says of one image. */
export interface ImageScores {
  model: ModelIdentity;
  /** In pixels, the way up that it was scored. */
  image: Size;
  /** Highest confidence of a box, or what the classes make of it. */
  score: number;
  level: Level;
  /** All classes, the likeliest first. */
  classes?: { label: string; probability: number }[];
  /** The surest first. */
  detections?: Detection[];
}

export interface Detection {
  label: string;
  confidence: number;
  /** Parts of width and height of the image, 0 to 1. */
  box: { left: number; top: number; width: number; height: number };
}

/** A model that is ready, as an entry of the catalog holds it. */
export interface ImageModel {
  identity: ModelIdentity;
  manifest: BundleManifest;
  runner: ModelRunner;
}

/**
 * Scores one JPEG or PNG by a model for images.
 * @throws ImageError, ScorerError
 */
export async function scoreImage(
  { identity, manifest, runner }: ImageModel,
  bytes: Uint8Array,
  decoder: ImageDecoder,
  request: Pick<RunRequest, 'priority' | 'deadlineMs'> = {},
): Promise<ImageScores> {
  const { image, tensor } = manifest.inputs;
  if (image === undefined) {
    throw new ImageError('NO_IMAGE_MODEL', `the model ${identity.name} takes no images`);
  }
  const { pixels, placement } = await decoder.decode(bytes, image);
  const { outputs } = await runner.run({
    ...request,
    inputs: [imageInput(pixels, { tensor, image }, runner.inputs)],
    outputs: outputNames(manifest.outputs),
    work: 'http',
  });
  return { model: identity, image: placement.image, ...meaningOf(manifest, outputs, placement) };
}

/** What the outputs of one image mean; a pure function. @throws ScorerError RUN_FAILED */
export function meaningOf(
  { outputs, levels }: BundleManifest,
  tensors: readonly Tensor[],
  placement: Placement,
): Omit<ImageScores, 'model' | 'image'> {
  const found =
    outputs.kind === 'class'
      ? classified(tensors, outputs)
      : outputs.kind === 'detection'
        ? detected(tensors, outputs, placement)
        : { score: ownScore(tensors, outputs) };
  const score = roundScore(found.score);
  if (!Number.isFinite(score)) throw new ScorerError('RUN_FAILED', `the score is ${score}`);
  const level = score >= levels.alarm ? 2 : score >= levels.warning ? 1 : 0;
  return { ...found, score, level };
}

function ownScore([tensor]: readonly Tensor[], outputs: BundleManifest['outputs']): number {
  const { scale = 1, offset = 0 } = outputs as { scale?: number; offset?: number };
  const numbers = numbersFrom(tensor!);
  if (numbers.length === 1) return numbers[0]! * scale + offset;
  throw new ScorerError('RUN_FAILED', `the score has ${numbers.length} numbers, must have 1`);
}

function classified([tensor]: readonly Tensor[], outputs: ClassOutputs) {
  const { labels, activation, normal, abnormal } = outputs;
  const numbers = numbersFrom(tensor!);
  if (numbers.length !== labels.length) {
    const message = `there are ${numbers.length} classes, must be ${labels.length}`;
    throw new ScorerError('RUN_FAILED', message);
  }
  const probabilities = Array.from(probabilitiesOf(numbers, activation));
  const sum = (chosen: readonly string[]): number =>
    chosen.reduce((total, label) => total + probabilities[labels.indexOf(label)]!, 0);
  const highest = Math.max(...probabilities);
  const score = abnormal !== undefined ? sum(abnormal) : normal ? 1 - sum(normal) : highest;
  const classes = labels
    .map((label, index) => ({ label, probability: roundScore(probabilities[index]!) }))
    .sort((one, two) => two.probability - one.probability);
  return { score, classes };
}

function detected(tensors: readonly Tensor[], outputs: DetectionOutputs, placement: Placement) {
  const boxes = suppress(candidatesOf(tensors, outputs, placement.tensor), outputs);
  const detections = boxes.flatMap(({ label, confidence, box }): Detection[] => {
    const corners = ontoImage(box, placement);
    if (corners === undefined) return [];
    const [left, top, right, bottom] = corners.map(round);
    const size = { width: round(right! - left!), height: round(bottom! - top!) };
    return [
      {
        label: outputs.labels[label]!,
        confidence: roundScore(confidence),
        box: { left: left!, top: top!, ...size },
      },
    ];
  });
  return { score: detections[0]?.confidence ?? 0, detections };
}

const round = (part: number): number => Math.round(part * 1e5) / 1e5;
