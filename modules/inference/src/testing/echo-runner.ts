import type { ModelRunner, RunRequest, RunResult } from '../domain/model-runner.ts';
import type { Tensor, TensorSpec } from '../domain/tensor.ts';

/** A model that gives its inputs back under other names: `x` as `y`, `x2` as `y2`. It takes any data type. */
export class EchoRunner implements ModelRunner {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Every request so far. */
  readonly requests: RunRequest[] = [];
  /** Called before each run; what it throws is the result. */
  before: () => void | Promise<void> = () => {};

  constructor(inputs: readonly TensorSpec[]) {
    this.inputs = inputs;
    this.outputs = inputs.map(({ name, ...rest }) => ({ name: name.replace('x', 'y'), ...rest }));
  }

  async run(request: RunRequest): Promise<RunResult> {
    this.requests.push(request);
    await this.before();
    const tensors = new Map<string, Tensor>(
      request.inputs.map((tensor) => [tensor.name.replace('x', 'y'), tensor]),
    );
    const wanted = request.outputs ?? this.outputs.map(({ name }) => name);
    return {
      outputs: wanted.map((name) => ({ ...tensors.get(name)!, name })),
      timing: { queueNs: 1_000, inputNs: 2_000, inferNs: 3_000, outputNs: 4_000 },
      batch: request.inputs[0]?.shape[0] ?? 1,
    };
  }
}
