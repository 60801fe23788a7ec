import {
  type BundleManifest,
  type ClassOutputs,
  outputNames,
  type ReconstructionOutputs,
  type ScoreOutputs,
} from '@holdfast/contracts';
import { ScorerError } from '../errors.ts';
import { probabilitiesOf } from './probabilities.ts';
import type { WindowScores } from './scorer.ts';
import type { Tensor } from './tensor.ts';

/** Makes scores of what a model of windows gives, as `outputs` of its manifest says. */
export interface PostProcess {
  /** The outputs that are needed, in the order in which `scores` takes them. */
  readonly names: readonly string[];
  /** Whether `scores` needs the windows that went in; the runner keeps their buffer, so they must be copied. */
  readonly needsWindows: boolean;
  /**
   * Of `count` windows, `[window, row, signal]`. A pure function; outputs may be changed.
   * @throws ScorerError RUN_FAILED when an output has another type or size
   */
  scores(outputs: readonly Tensor[], count: number, windows?: Float32Array): WindowScores;
}

export function postProcess(manifest: Pick<BundleManifest, 'inputs' | 'outputs'>): PostProcess {
  const { inputs, outputs } = manifest;
  const names = outputNames(outputs);
  const signals = inputs.signals.length;
  switch (outputs.kind) {
    case 'class':
      return {
        names,
        needsWindows: false,
        scores: (given, count) => ({ score: classScores(given, count, outputs) }),
      };
    case 'reconstruction':
      return {
        names,
        needsWindows: true,
        scores: (given, count, windows) =>
          errorScores(given, windows!, { count, signals, rows: inputs.rows, outputs }),
      };
    case 'detection':
      throw new Error('a model that gives boxes scores no windows');
    default:
      return {
        names,
        needsWindows: false,
        scores: (given, count) => ownScores(given, count, signals, outputs),
      };
  }
}

/** The numbers of a float32 output. @throws ScorerError RUN_FAILED */
export function numbersOf(tensor: Tensor | undefined, name: string, length: number): Float32Array {
  if (tensor?.datatype !== 'FP32') {
    throw new ScorerError('RUN_FAILED', `output "${name}" is not float32`);
  }
  if (tensor.data.length !== length) {
    const shape = `[${tensor.shape.join(', ')}]`;
    const message = `output "${name}" has shape ${shape}, must hold ${length} numbers`;
    throw new ScorerError('RUN_FAILED', message);
  }
  return tensor.data as Float32Array;
}

function ownScores(
  [first, second]: readonly Tensor[],
  count: number,
  signals: number,
  outputs: ScoreOutputs,
): WindowScores {
  const { scale, offset, contributions } = outputs;
  const score = numbersOf(first, outputs.score, count);
  if (scale !== undefined || offset !== undefined) {
    for (let index = 0; index < count; index += 1) {
      score[index] = score[index]! * (scale ?? 1) + (offset ?? 0);
    }
  }
  if (contributions === undefined) return { score };
  return { score, contributions: numbersOf(second, contributions, count * signals) };
}

function classScores([tensor]: readonly Tensor[], count: number, outputs: ClassOutputs) {
  const { labels, probabilities: name, activation, normal, abnormal } = outputs;
  const width = labels.length;
  const logits = numbersOf(tensor, name, count * width);
  const chosen = (abnormal ?? normal ?? []).map((label) => labels.indexOf(label));
  const score = new Float32Array(count);
  for (let window = 0; window < count; window += 1) {
    const row = logits.subarray(window * width, (window + 1) * width);
    const probabilities = probabilitiesOf(row, activation);
    let sum = 0;
    for (const label of chosen) sum += probabilities[label]!;
    score[window] = abnormal === undefined ? 1 - sum : sum;
  }
  return score;
}

/** Score and shares of the differences between what went in and what the model made of it. */
function errorScores(
  [tensor]: readonly Tensor[],
  windows: Float32Array,
  given: { count: number; signals: number; rows: number; outputs: ReconstructionOutputs },
): WindowScores {
  const { count, signals, rows, outputs } = given;
  const { of, error, spread, reconstruction: name } = outputs;
  const compared = of === 'newest' ? 1 : rows;
  const made = numbersOf(tensor, name, count * compared * signals);
  const score = new Float32Array(count);
  const contributions = new Float32Array(count * signals);
  const errors = new Float64Array(signals);
  for (let window = 0; window < count; window += 1) {
    errors.fill(0);
    // With `newest` the rows before the last one are passed over.
    let at = ((window + 1) * rows - compared) * signals;
    let madeAt = window * compared * signals;
    for (let row = 0; row < compared; row += 1) {
      for (let signal = 0; signal < signals; signal += 1, at += 1, madeAt += 1) {
        const difference = (windows[at]! - made[madeAt]!) / (spread?.[signal] ?? 1);
        errors[signal]! += error === 'mean-absolute' ? Math.abs(difference) : difference ** 2;
      }
    }
    let total = 0;
    for (let signal = 0; signal < signals; signal += 1) total += errors[signal]!;
    const mean = total / (compared * signals);
    score[window] = error === 'root-mean-square' ? Math.sqrt(mean) : mean;
    for (let signal = 0; signal < signals; signal += 1) {
      // Where nothing differs no signal has more of it than another.
      contributions[window * signals + signal] =
        total === 0 ? 1 / signals : errors[signal]! / total;
    }
  }
  return { score, contributions };
}
