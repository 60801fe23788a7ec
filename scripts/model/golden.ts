import type { GoldenOutputs } from '@holdfast/contracts';
import { BundleError, type Draft } from '@holdfast/model-bundle';
import { postProcess } from '../../modules/inference/src/domain/post-process.ts';
import type { Tensor } from '../../modules/inference/src/domain/tensor.ts';

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
  { manifest, facts, modelPath }: Draft,
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
  const shape = [options.count, inputs.rows, inputs.signals.length];
  const declared = facts.inputs.find(({ name }) => name === inputs.tensor)?.shape.length;
  const flat = [options.count, inputs.rows * inputs.signals.length];
  const input = Float32Array.from(windows.flat(2));
  const { names, scores } = postProcess(manifest);
  const outputs = await runOnce(modelPath, {
    input: inputs.tensor,
    data: input.slice(),
    shape: declared === 2 ? flat : shape,
    names,
  });
  const { score, contributions } = scores(outputs, options.count, input);
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
  modelPath: string,
  run: { input: string; data: Float32Array; shape: number[]; names: readonly string[] },
): Promise<Tensor[]> {
  const { InferenceSession, Tensor: OrtTensor } = await import('onnxruntime-node');
  try {
    const session = await InferenceSession.create(modelPath, { logSeverityLevel: 4 });
    const feeds = { [run.input]: new OrtTensor('float32', run.data, run.shape) };
    const results = await session.run(feeds, [...run.names]);
    await session.release();
    return run.names.map((name) => {
      const tensor = results[name];
      const datatype = tensor?.type === 'float32' ? 'FP32' : 'BYTES';
      const data = tensor?.data as Float32Array<ArrayBuffer>;
      return { name, datatype, shape: tensor?.dims ?? [], data };
    });
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
