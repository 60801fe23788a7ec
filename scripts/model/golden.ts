import type { GoldenOutputs } from '@holdfast/contracts';
import { BundleError, type Draft } from '@holdfast/model-bundle';
import type { WindowScores } from '../../modules/inference/src/domain/scorer.ts';
import { windowScorer } from '../../modules/inference/src/domain/window-scorer.ts';

/** Digits that are kept of inputs, so that the file stays short and is the same everywhere. */
const INPUT_DIGITS = 5;
const OUTPUT_DIGITS = 7;

/**
 * Runs a model on made-up windows, within the range of each signal where the manifest has one, and writes down what it
 * gives. The same model gets the same windows. They show that a site's runtime computes as this one does, not that the
 * model is a good one: for that, put windows of your own into golden.json.
 * @throws BundleError BUNDLE_LOAD, BUNDLE_GOLDEN
 */
export async function makeGolden(
  { manifest, modelPath }: Draft,
  options: { count: number; tolerance: number },
): Promise<GoldenOutputs> {
  const { inputs } = manifest;
  if (inputs.image !== undefined) {
    throw new BundleError(
      'BUNDLE_GOLDEN',
      'golden outputs can be made for windows, not for images',
    );
  }
  const windows = windowsOf(inputs, options.count);
  const { score, contributions } = await runOnce(manifest, modelPath, windows);
  const width = inputs.signals.length;
  const cases = windows.map((window, index) => ({
    name: `made up ${index + 1}`,
    input: window,
    score: rounded(score[index]),
    ...(contributions === undefined
      ? {}
      : {
          contributions: [...contributions.subarray(index * width, (index + 1) * width)].map(
            rounded,
          ),
        }),
  }));
  return { tolerance: options.tolerance, cases };
}

/** The runtime is loaded only here: nothing else of the command line needs it. */
async function runOnce(
  manifest: Draft['manifest'],
  modelPath: string,
  windows: readonly number[][][],
): Promise<WindowScores> {
  const { openAlone } = await import('./open-alone.ts');
  try {
    const model = await openAlone(modelPath);
    try {
      const input = Float32Array.from(windows.flat(2));
      return await windowScorer(model, manifest, 'route').run(input, windows.length);
    } finally {
      await model.close();
    }
  } catch (cause) {
    const message = `model.onnx: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_LOAD', message, { file: 'model.onnx', cause });
  }
}

type Inputs = Draft['manifest']['inputs'];

/** `[case][row][signal]`. A level for each signal, and a little up and down from row to row. */
function windowsOf({ rows, signals }: Inputs, count: number): number[][][] {
  const random = randomOf(1);
  return Array.from({ length: count }, () => {
    const levels = signals.map(random);
    return Array.from({ length: rows }, () =>
      signals.map(({ min = 0, max = 1, scale = 1, offset = 0 }, index) => {
        const share = levels[index]! * 0.8 + random() * 0.2;
        const value = (min + (Math.max(max, min) - min) * share) * scale + offset;
        return Number(value.toPrecision(INPUT_DIGITS));
      }),
    );
  });
}

function rounded(value: number | undefined): number {
  if (value !== undefined && Number.isFinite(value))
    return Number(value.toPrecision(OUTPUT_DIGITS));
  const message = `the model gives ${value} for a made-up window: write golden.json yourself`;
  throw new BundleError('BUNDLE_GOLDEN', message, { file: 'golden.json' });
}

/** Numbers from 0 to 1, the same for the same seed on every machine (xorshift32, Marsaglia 2003). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
