import { type BundleManifest, type Problem, showValue } from '@holdfast/contracts';

/** A tensor as the loaded model declares it; symbolic dimensions are strings, an unknown shape is empty. */
export interface TensorDeclaration {
  name: string;
  type: string;
  shape: readonly (number | string)[];
}

/**
 * Compares the model's own tensors with the manifest: input float32 `[batch, rows, signal]`, outputs float32
 * `[batch]` and `[batch, signal]`. The batch dimension must be free, because a batch of any size is one run.
 */
export function tensorProblems(
  manifest: BundleManifest,
  model: { inputs: readonly TensorDeclaration[]; outputs: readonly TensorDeclaration[] },
): Problem[] {
  const { inputs, outputs } = manifest;
  const signals = inputs.signals.length;
  const problems = tensorProblem('inputs.tensor', inputs.tensor, model.inputs, [
    inputs.rows,
    signals,
  ]);
  for (const other of model.inputs.filter((input) => input.name !== inputs.tensor)) {
    problems.push({
      path: 'inputs.tensor',
      value: showValue(inputs.tensor),
      allowed: `must be the only input, but the model also needs "${other.name}"`,
    });
  }
  problems.push(...tensorProblem('outputs.score', outputs.score, model.outputs, []));
  if (outputs.contributions !== undefined) {
    problems.push(
      ...tensorProblem('outputs.contributions', outputs.contributions, model.outputs, [signals]),
    );
  }
  return problems;
}

function tensorProblem(
  path: string,
  name: string,
  declared: readonly TensorDeclaration[],
  inner: readonly number[],
): Problem[] {
  const tensor = declared.find((candidate) => candidate.name === name);
  if (tensor === undefined) {
    const names = declared.map((candidate) => JSON.stringify(candidate.name)).join(' or ');
    return [{ path, value: showValue(name), allowed: `the model has ${names}` }];
  }
  const wanted = `must be float32 [batch${inner.map((size) => `, ${size}`).join('')}]`;
  const found = `${tensor.type} [${tensor.shape.join(', ')}]`;
  if (tensor.type !== 'float32') return [{ path, value: found, allowed: wanted }];
  // ONNX allows outputs without a shape; the run on the golden inputs then shows how large they are.
  if (tensor.shape.length === 0) return [];
  const [batch, ...rest] = tensor.shape;
  const fits =
    typeof batch === 'string' &&
    rest.length === inner.length &&
    rest.every((size, index) => typeof size === 'string' || size === inner[index]);
  if (fits) return [];
  const free = typeof batch === 'number' ? ' with a batch dimension that is free' : '';
  return [{ path, value: found, allowed: `${wanted}${free}` }];
}
