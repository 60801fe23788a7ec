import { type BundleManifest, type ModelIdentity, outputNames } from '@holdfast/contracts';
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
import type { WindowScores } from '../domain/scorer.ts';
import { OnnxScorer } from './onnx-scorer.ts';

/** A model that gave its golden outputs on this machine. */
export interface LoadedModel {
  readonly identity: z.infer<typeof ModelIdentity>;
  readonly manifest: BundleManifest;
  readonly scorer: OnnxScorer;
  /** Id of the trusted key that signed the bundle; undefined where none is asked for. */
  readonly signedBy: string | undefined;
  /** Ends the worker. Idempotent. */
  close(): Promise<void>;
}

/**
 * Verifies the bundle in a folder, loads it into a worker, compares its tensors with the manifest, and runs its
 * golden inputs, which also warms it up. Leaves nothing behind when it fails.
 * @throws BundleError
 */
export async function loadModel(options: {
  /** A folder, or what was verified already. */
  folder: string | VerifiedBundle;
  /** @default no keys: signatures are not looked at */
  trust?: TrustPolicy;
  workerUrl: URL;
  intraOpNumThreads: number;
  onRestart(reason: string): void;
  onStep?(step: 'loading' | 'checking'): void;
}): Promise<LoadedModel> {
  const { folder, trust = NO_KEYS, onStep } = options;
  const bundle = typeof folder === 'string' ? await verifyBundle(folder, trust) : folder;
  onStep?.('loading');
  const { inputs, outputs } = bundle.manifest;
  const [score, contributions] = outputNames(outputs);
  const scorer = await OnnxScorer.start({
    workerUrl: options.workerUrl,
    modelPath: bundle.modelPath,
    input: inputs.tensor,
    score: score!,
    contributions,
    rows: inputs.rows,
    signals: inputs.signals.length,
    intraOpNumThreads: options.intraOpNumThreads,
    onRestart: options.onRestart,
  }).catch((cause: Error) => {
    throw new BundleError('BUNDLE_LOAD', `model.onnx: ${cause.message}`, {
      file: 'model.onnx',
      cause,
    });
  });
  try {
    onStep?.('checking');
    const problems = tensorProblems(bundle.manifest, scorer);
    if (problems.length > 0) throw BundleError.of('BUNDLE_TENSORS', 'model.json', problems);
    await checkGolden(bundle, scorer);
  } catch (error) {
    await scorer.close();
    throw error;
  }
  const { identity, manifest, signedBy } = bundle;
  return { identity, manifest, scorer, signedBy, close: () => scorer.close() };
}

async function checkGolden({ golden }: ModelBundle, scorer: OnnxScorer): Promise<void> {
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
