import type { Problem } from '@holdfast/contracts';
import type { ModelFacts } from '../onnx/model-facts.ts';
import type { TensorDeclaration } from '../tensors.ts';
import type { ExportManifest } from './export-manifest.ts';

export interface Export {
  name: string;
  version: string;
  fields: ExportManifest;
  facts: Pick<ModelFacts, 'inputs' | 'outputs' | 'opsets'>;
  /** What the exporter noted in the model. */
  metadata: ReadonlyMap<string, string>;
  labels: readonly string[];
}

/** A `model.json` without digests, as it is written to the file. */
export type DraftManifest = Record<string, unknown>;

/** Anchors of the General (compact) domain, which its exports do not always name. In cells. */
const ANCHORS = [
  [0.573, 0.677],
  [1.87, 2.06],
  [3.34, 5.47],
  [7.88, 3.53],
  [9.77, 9.17],
];
/** Of the service's own samples. */
const DETECTIONS_MAX = 64;
const OVERLAP_MAX = 0.45;
/** Of the service's portal. */
const CONFIDENCE_MIN = 0.5;
/** Of an image; what to make of it is for whoever packs it to change. */
const LEVELS = { warning: 0.5, alarm: 0.8 };
/** The tag that the service gives to images with nothing to be found. */
const NOTHING = 'Negative';

/** What `model.json` says of an export, or why it is none that is known. */
export function manifestOfExport(
  given: Export,
): { manifest: DraftManifest } | { problems: Problem[] } {
  const { facts, name, version, fields } = given;
  const inputs = imageInputs(given);
  const outputs = fields.DomainType === 'Classification' ? classOutputs(given) : boxOutputs(given);
  const problems = [inputs, outputs].filter(isProblem);
  if (problems.length > 0) return { problems };
  return {
    manifest: {
      v: 1,
      name,
      version,
      description: `Custom Vision export, ${fields.DomainType}`,
      inputs,
      outputs,
      levels: LEVELS,
      opset: facts.opsets.get('') ?? 0,
    },
  };
}

const isProblem = (part: object): part is Problem => 'allowed' in part;
const describe = ({ type, shape }: TensorDeclaration): string => `${type} [${shape.join(', ')}]`;

function imageInputs({ facts, fields, metadata }: Export): object {
  const [input, ...others] = facts.inputs;
  const datatype = { float32: 'FP32', float16: 'FP16' }[input?.type ?? ''];
  const sizes = input?.shape.slice(1) ?? [];
  const layout = sizes[0] === 3 ? 'NCHW' : 'NHWC';
  const [height, width] = layout === 'NCHW' ? sizes.slice(1) : sizes.slice(0, 2);
  const size = (found: number | string | undefined, said: number | null | undefined) =>
    typeof found === 'number' ? found : said;
  const edges = { width: size(width, fields.ScaleWidth), height: size(height, fields.ScaleHeight) };
  if (
    input === undefined ||
    others.length > 0 ||
    datatype === undefined ||
    sizes.length !== 3 ||
    !sizes.includes(3) ||
    typeof edges.width !== 'number' ||
    typeof edges.height !== 'number'
  ) {
    const value = facts.inputs.map(describe).join(' and ');
    const allowed = 'must be one image, float32 or float16 [batch, 3, height, width]';
    return { path: 'input', value, allowed } satisfies Problem;
  }
  const inBgr = metadata.get('Image.BitmapPixelFormat') === 'Bgr8';
  const whole = metadata.get('Image.NominalPixelRange') === 'NominalRange_0_255';
  return {
    kind: 'image',
    tensor: input.name,
    ...edges,
    resize: 'stretch',
    // As the service's own samples do it.
    interpolation: 'cubic',
    colour: fields.InputFormat ?? (inBgr ? 'BGR' : 'RGB'),
    layout,
    datatype,
    ...(whole ? {} : { scale: 1 / 255 }),
  };
}

function classOutputs({ facts, labels }: Export): object {
  const fits = ({ type, shape }: TensorDeclaration): boolean =>
    ['float32', 'float16'].includes(type) && shape.length === 2 && shape[1] === labels.length;
  const output = facts.outputs.find(fits);
  if (output === undefined) {
    const value = facts.outputs.map(describe).join(' and ');
    const allowed = `must be float32 or float16 [batch, ${labels.length}], one number a label`;
    return { path: 'output', value, allowed } satisfies Problem;
  }
  return {
    kind: 'class',
    probabilities: output.name,
    labels,
    ...(labels.includes(NOTHING) ? { normal: [NOTHING] } : {}),
  };
}

function boxOutputs({ facts, labels, fields }: Export): object {
  const names = new Set(facts.outputs.map(({ name }) => name));
  const common = {
    kind: 'detection',
    labels,
    confidenceMin: fields.ConfThreshold ?? CONFIDENCE_MIN,
    detectionsMax: DETECTIONS_MAX,
  };
  const parts = { boxes: 'detected_boxes', scores: 'detected_scores', classes: 'detected_classes' };
  if (Object.values(parts).every((name) => names.has(name))) {
    // The model has left out what overlaps.
    return { ...common, form: 'boxes', ...parts, overlapMax: 1 };
  }
  const anchors = fields.Anchors ?? ANCHORS;
  const depth = anchors.length * (5 + labels.length);
  const [grid, ...others] = facts.outputs;
  if (
    grid === undefined ||
    others.length > 0 ||
    grid.shape.length !== 4 ||
    grid.shape[1] !== depth
  ) {
    const value = facts.outputs.map(describe).join(' and ');
    const allowed = `must be ${Object.values(parts).join(', ')}, or one grid [batch, ${depth}, rows, columns] for ${anchors.length} anchors and ${labels.length} labels`;
    return { path: 'output', value, allowed } satisfies Problem;
  }
  return {
    ...common,
    form: 'grid',
    grid: grid.name,
    anchors,
    overlapMax: fields.IouThreshold ?? OVERLAP_MAX,
    overlapOf: 'all',
  };
}
