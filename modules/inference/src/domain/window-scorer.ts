import type { BundleManifest } from '@holdfast/contracts';
import type { ModelRunner, WorkClass } from './model-runner.ts';
import { postProcess } from './post-process.ts';
import type { Scorer } from './scorer.ts';

/** A runner may keep buffers that came back from their runs. */
export interface RoomyRunner extends ModelRunner {
  room?(bytes: number): ArrayBuffer;
}

/**
 * A model of windows as a scorer: windows become its float32 input, flat or as rows, as it declares it, and its
 * outputs scores, as the manifest says.
 */
export function windowScorer(
  runner: RoomyRunner,
  manifest: Pick<BundleManifest, 'inputs' | 'outputs'>,
  work: WorkClass,
): Scorer {
  const { tensor: name, rows, signals } = manifest.inputs;
  const { names, needsWindows, scores } = postProcess(manifest);
  const isFlat = runner.inputs.find((spec) => spec.name === name)?.shape.length === 2;
  const window = isFlat ? [rows * signals.length] : [rows, signals.length];
  return {
    room: (length) => {
      const bytes = length * Float32Array.BYTES_PER_ELEMENT;
      return new Float32Array(runner.room?.(bytes) ?? new ArrayBuffer(bytes), 0, length);
    },
    run: async (data, count) => {
      const windows = needsWindows ? data.slice() : undefined;
      const input = { name, datatype: 'FP32', shape: [count, ...window], data } as const;
      const { outputs, timing } = await runner.run({ inputs: [input], outputs: names, work });
      return { ...scores(outputs, count, windows), inferNs: timing.inferNs };
    },
  };
}
