import { type BundleManifest, type Problem, showValue } from '@holdfast/contracts';

/** A tensor as the loaded model declares it; symbolic dimensions are strings, an unknown shape is empty. */
export interface TensorDeclaration {
  name: string;
  type: string;
  shape: readonly (number | string)[];
}

/** What a tensor may be: one of the shapes without the batch dimension, -1 for any size, and one of the types. */
interface Wanted {
  shapes: readonly (readonly number[])[];
  types?: readonly string[];
  /** Whether a batch of one image at a time, or none at all, will do. */
  single?: boolean;
}

/**
 * Compares the model's own tensors with the manifest. For windows the batch dimension must be free, because a batch of
 * any size is one run; an image model may take one at a time.
 */
export function tensorProblems(
  manifest: BundleManifest,
  model: { inputs: readonly TensorDeclaration[]; outputs: readonly TensorDeclaration[] },
): Problem[] {
  const { tensor } = manifest.inputs;
  const problems = tensorProblem('inputs.tensor', tensor, model.inputs, wantedInput(manifest));
  for (const other of model.inputs.filter((input) => input.name !== tensor)) {
    problems.push({
      path: 'inputs.tensor',
      value: showValue(tensor),
      allowed: `must be the only input, but the model also needs "${other.name}"`,
    });
  }
  for (const [path, name, wanted] of wantedOutputs(manifest)) {
    problems.push(...tensorProblem(`outputs.${path}`, name, model.outputs, wanted));
  }
  return problems;
}

const ONNX_TYPES = { FP32: 'float32', FP16: 'float16', UINT8: 'uint8' } as const;

function wantedInput({ inputs }: BundleManifest): Wanted {
  const { image, rows, signals } = inputs;
  if (image === undefined) return { shapes: [[rows, signals.length], [rows * signals.length]] };
  const { width, height, layout, colour, datatype } = image;
  const channels = colour === 'grey' ? 1 : 3;
  const shape = layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  return { shapes: [shape], types: [ONNX_TYPES[datatype]], single: true };
}

type Named = [path: string, name: string, wanted: Wanted];

function wantedOutputs({ inputs, outputs }: BundleManifest): Named[] {
  const signals = inputs.signals.length;
  const single = inputs.image !== undefined;
  switch (outputs.kind) {
    case 'class': {
      const classes = outputs.labels.length;
      return [['probabilities', outputs.probabilities, { shapes: [[classes]], single }]];
    }
    case 'reconstruction': {
      const shape = outputs.of === 'newest' ? [signals] : [inputs.rows, signals];
      const flat = [shape.reduce((product, size) => product * size)];
      return [['reconstruction', outputs.reconstruction, { shapes: [shape, flat] }]];
    }
    case 'detection':
      return wantedDetection(outputs);
    default: {
      const score: Named = ['score', outputs.score, { shapes: [[], [1]] }];
      if (outputs.contributions === undefined) return [score];
      return [score, ['contributions', outputs.contributions, { shapes: [[signals]] }]];
    }
  }
}

function wantedDetection(
  outputs: Extract<BundleManifest['outputs'], { kind: 'detection' }>,
): Named[] {
  const classes = outputs.labels.length;
  if (outputs.form === 'boxes') {
    const types = ['int64', 'int32', 'float32'];
    return [
      ['boxes', outputs.boxes, { shapes: [[-1, 4]], single: true }],
      ['scores', outputs.scores, { shapes: [[-1]], single: true }],
      ['classes', outputs.classes, { shapes: [[-1]], types, single: true }],
    ];
  }
  if (outputs.form === 'columns') {
    return [['columns', outputs.columns, { shapes: [[4 + classes, -1]], single: true }]];
  }
  const depth = outputs.anchors.length * (5 + classes);
  const shape = outputs.layout === 'NCHW' ? [depth, -1, -1] : [-1, -1, depth];
  return [['grid', outputs.grid, { shapes: [shape], single: true }]];
}

function tensorProblem(
  path: string,
  name: string,
  declared: readonly TensorDeclaration[],
  { shapes, single = false, types = single ? ['float32', 'float16'] : ['float32'] }: Wanted,
): Problem[] {
  const tensor = declared.find((candidate) => candidate.name === name);
  if (tensor === undefined) {
    const names = declared.map((candidate) => JSON.stringify(candidate.name)).join(' or ');
    return [{ path, value: showValue(name), allowed: `the model has ${names}` }];
  }
  const wanted = `must be ${types.join(' or ')} ${describeShape(shapes[0]!)}`;
  const found = `${tensor.type} [${tensor.shape.join(', ')}]`;
  if (!types.includes(tensor.type)) return [{ path, value: found, allowed: wanted }];
  // ONNX allows outputs without a shape; the run on the golden inputs then shows how large they are.
  if (tensor.shape.length === 0) return [];
  const [batch, ...rest] = tensor.shape;
  const fits = shapes.some(
    (inner) =>
      ((typeof batch === 'string' || (single && batch === 1)) && sameShape(rest, inner)) ||
      (single && sameShape(tensor.shape, inner)),
  );
  if (fits) return [];
  const free = typeof batch === 'number' && !single ? ' with a batch dimension that is free' : '';
  return [{ path, value: found, allowed: `${wanted}${free}` }];
}

const describeShape = (inner: readonly number[]): string =>
  `[batch${inner.map((size) => `, ${size < 0 ? 'any' : size}`).join('')}]`;

const sameShape = (found: readonly (number | string)[], inner: readonly number[]): boolean =>
  found.length === inner.length &&
  found.every(
    (size, index) => typeof size === 'string' || inner[index]! < 0 || size === inner[index],
  );
