import type { BundleManifest, ImageShape, ModelIdentity } from '@holdfast/contracts';
import {
  BundleError,
  goldenProblems,
  type ModelBundle,
  NO_KEYS,
  type TrustPolicy,
  tensorProblems,
  type VerifiedBundle,
  verifyBundle,
} from '@holdfast/model-bundle';
import type { z } from 'zod';
import type { ModelRunner } from '../domain/model-runner.ts';
import type { Scorer, WindowScores } from '../domain/scorer.ts';
import { windowScorer } from '../domain/window-scorer.ts';
import type { Engine } from '../engine/engine.ts';
import { ScorerError } from '../errors.ts';
import { imageInput } from '../images/domain/image-tensor.ts';

/** A model that gave its golden outputs on this machine. */
export interface LoadedModel {
  readonly identity: z.infer<typeof ModelIdentity>;
  readonly manifest: BundleManifest;
  /** Any tensors of the model, by name. */
  readonly runner: ModelRunner;
  /** The runner for windows of the route; fails for a model of images. */
  readonly scorer: Scorer;
  /** The same for work that all other goes before. */
  readonly shadowScorer?: Scorer;
  /** Id of the trusted key that signed the bundle; undefined where none is asked for. */
  readonly signedBy: string | undefined;
  /** Lets the runs that it was given end, then gives the memory back. Idempotent. */
  close(options?: { drainMs?: number }): Promise<void>;
}

export interface LoadOptions {
  engine: Engine;
  /** A folder, or what was verified already. */
  folder: string | VerifiedBundle;
  /** @default no keys: signatures are not looked at */
  trust?: TrustPolicy;
  onStep?(step: 'loading' | 'checking'): void;
  onRestart?(reason: string): void;
  /** It cannot be run any more. */
  onLost?(reason: string): void;
}

/**
 * Verifies the bundle, loads it into a worker, compares its tensors with the manifest, and runs its golden inputs,
 * which also warms it up. Leaves nothing behind when it fails.
 * @throws BundleError
 */
export async function loadModel(options: LoadOptions): Promise<LoadedModel> {
  const { engine, folder, trust = NO_KEYS, onStep, onRestart, onLost } = options;
  const bundle = typeof folder === 'string' ? await verifyBundle(folder, trust) : folder;
  const { manifest, modelPath, identity, signedBy } = bundle;
  onStep?.('loading');
  const name = `${identity.name} ${identity.version}`;
  const runner = await engine
    .open({
      ...{ name, modelPath },
      ...(onRestart === undefined ? {} : { onRestart }),
      ...(onLost === undefined ? {} : { onLost }),
    })
    .catch((cause: Error) => {
      throw new BundleError('BUNDLE_LOAD', `model.onnx: ${cause.message}`, {
        file: 'model.onnx',
        cause,
      });
    });
  try {
    onStep?.('checking');
    const problems = tensorProblems(manifest, runner.declared);
    if (problems.length > 0) throw BundleError.of('BUNDLE_TENSORS', 'model.json', problems);
    const close = (how?: { drainMs?: number }) => runner.close(how);
    if (manifest.inputs.image !== undefined) {
      await runBlackImage(manifest.inputs.tensor, manifest.inputs.image, runner);
      return { identity, manifest, runner, scorer: noWindows, signedBy, close };
    }
    const scorer = windowScorer(runner, manifest, 'route');
    await checkGolden(bundle, scorer);
    const shadowScorer = windowScorer(runner, manifest, 'shadow');
    return { identity, manifest, runner, scorer, shadowScorer, signedBy, close };
  } catch (error) {
    await runner.close({ drainMs: 0 });
    throw error;
  }
}

/** A model of images has no golden outputs; that it runs at all is seen before it is offered, and it is warm then. */
async function runBlackImage(
  tensor: string,
  image: ImageShape,
  runner: ModelRunner,
): Promise<void> {
  const black = new Uint8Array(image.width * image.height * 3);
  const input = imageInput(black, { tensor, image }, runner.inputs);
  try {
    await runner.run({ inputs: [input], work: 'http' });
  } catch (cause) {
    const message = `model.onnx: a black image makes it fail: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_LOAD', message, { file: 'model.onnx', cause });
  }
}

/** No row of the route is ever given to a model of images. */
const noWindows: Scorer = {
  room: (length) => new Float32Array(length),
  run: () => Promise.reject(new ScorerError('RUN_FAILED', 'a model of images scores no windows')),
};

async function checkGolden({ golden }: ModelBundle, scorer: Scorer): Promise<void> {
  const input = Float32Array.from(golden.cases.flatMap((expected) => expected.input.flat()));
  let outputs: WindowScores;
  try {
    outputs = await scorer.run(input, golden.cases.length);
  } catch (cause) {
    const message = `the golden inputs make the model fail: ${(cause as Error).message}`;
    throw new BundleError('BUNDLE_GOLDEN', message, { file: 'golden.json', cause });
  }
  const problems = goldenProblems(golden, outputs);
  if (problems.length > 0) throw BundleError.of('BUNDLE_GOLDEN', 'golden.json', problems);
}
