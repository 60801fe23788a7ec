import type { BundleManifest } from '@holdfast/contracts';
import type { ModelRunner, RunRequest, RunResult } from '../domain/model-runner.ts';
import type { Scorer } from '../domain/scorer.ts';
import type { Tensor, TensorSpec } from '../domain/tensor.ts';
import { ScorerError } from '../errors.ts';

/** Requests in the worker's inbox before others are told to come again: the route shares the worker. */
const WAITING_MAX = 64;
const RETRY_MS = 100;
const MS_IN_NS = 1e6;

/** The model of a scorer as one that is run by name of its tensors. Undefined for a model whose outputs are no scores. */
export function runnerOver(scorer: Scorer, manifest: BundleManifest): ModelRunner | undefined {
  const { inputs, outputs } = manifest;
  if (
    inputs.image !== undefined ||
    (outputs.kind ?? 'score') !== 'score' ||
    !('score' in outputs)
  ) {
    return undefined;
  }
  const { length } = inputs.signals;
  const spec = (name: string, ...shape: number[]): TensorSpec => ({
    name,
    datatype: 'FP32',
    shape,
  });
  const { score, contributions } = outputs;
  const specs = [
    spec(score, -1),
    ...(contributions === undefined ? [] : [spec(contributions, -1, length)]),
  ];
  return new ScorerRunner(scorer, spec(inputs.tensor, -1, inputs.rows, length), specs);
}

class ScorerRunner implements ModelRunner {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly #scorer: Scorer;
  #waiting = 0;

  constructor(scorer: Scorer, input: TensorSpec, outputs: readonly TensorSpec[]) {
    this.#scorer = scorer;
    this.inputs = [input];
    this.outputs = outputs;
  }

  async run({ inputs: [input], outputs: wanted }: RunRequest): Promise<RunResult> {
    if (this.#waiting >= WAITING_MAX) {
      const message = `${WAITING_MAX} requests wait for this model already`;
      throw new ScorerError('QUEUE_FULL', message, { retryAfterMs: RETRY_MS });
    }
    const { data, shape } = input!;
    const count = shape[0]!;
    const room = this.#scorer.room(data.length);
    room.set(data as Float32Array);
    this.#waiting += 1;
    const startMs = performance.now();
    try {
      const { score, contributions } = await this.#scorer.run(room, count);
      const values = [score, contributions];
      const inferNs = (performance.now() - startMs) * MS_IN_NS;
      const tensors = this.outputs.map(
        ({ name, shape: [, ...rest] }, at): Tensor => ({
          name,
          datatype: 'FP32',
          shape: [count, ...rest],
          data: values[at] as Float32Array<ArrayBuffer>,
        }),
      );
      return {
        outputs: (wanted ?? this.outputs.map(({ name }) => name)).map(
          (name) => tensors.find((tensor) => tensor.name === name)!,
        ),
        timing: { queueNs: 0, inputNs: 0, inferNs, outputNs: 0 },
        batch: count,
      };
    } finally {
      this.#waiting -= 1;
    }
  }
}
