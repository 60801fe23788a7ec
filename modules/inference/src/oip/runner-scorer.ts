import type { BundleManifest } from '@holdfast/contracts';
import type { ModelRunner } from '../domain/model-runner.ts';
import { postProcess } from '../domain/post-process.ts';
import type { Scorer } from '../domain/scorer.ts';

/** Scores of windows by a model whose requests come over HTTP; the input may have the window flat or as rows. */
export function scorerOver(runner: ModelRunner, manifest: BundleManifest): Scorer {
  const { tensor: name, rows, signals } = manifest.inputs;
  const { names, needsWindows, scores } = postProcess(manifest);
  const isFlat = runner.inputs.find((spec) => spec.name === name)?.shape.length === 2;
  const window = isFlat ? [rows * signals.length] : [rows, signals.length];
  return {
    room: (length) => new Float32Array(length),
    run: async (data, count) => {
      const windows = needsWindows ? data.slice() : undefined;
      const input = { name, datatype: 'FP32', shape: [count, ...window], data } as const;
      const { outputs, timing } = await runner.run({
        inputs: [input],
        outputs: names,
        work: 'http',
      });
      return { ...scores(outputs, count, windows), inferNs: timing.inferNs };
    },
  };
}
