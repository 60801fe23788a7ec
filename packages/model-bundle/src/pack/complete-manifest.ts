import type { ModelFacts } from '../onnx/model-facts.ts';
import type { TensorDeclaration } from '../tensors.ts';

type Document = Record<string, unknown>;

/** Order of the fields in `model.json`; others follow as they were given. */
const ORDER = ['v', 'name', 'version', 'description', 'inputs', 'outputs', 'levels'];

/** A row may be so many periods late before the window starts anew, unless the description says otherwise. */
const GAP_PERIODS = 5;

/**
 * Adds to a description what the ONNX file itself says: operator set, names of tensors, rows of a window. What is
 * there stays, right or wrong: checking is not done here. The same description gives the same text.
 * @param files digests by name
 */
export function completeManifest(
  given: Document,
  facts: ModelFacts,
  files: Readonly<Record<string, string>>,
): Document {
  const inputs = completeInputs(objectOf(given.inputs), facts);
  const signals = Array.isArray(inputs.signals) ? inputs.signals.length : undefined;
  const outputs = completeOutputs(objectOf(given.outputs), facts, signals);
  const { opset: _opset, files: _files, ...rest } = given;
  const known: Document = { v: 1, ...rest, inputs, outputs };
  const ordered = Object.entries(known).sort(([left], [right]) => rank(left) - rank(right));
  const names = Object.keys(files).sort();
  return {
    ...Object.fromEntries(ordered),
    opset: facts.opsets.get('') ?? given.opset,
    files: Object.fromEntries(names.map((name) => [name, files[name]])),
  };
}

const rank = (name: string): number => {
  const place = ORDER.indexOf(name);
  return place === -1 ? ORDER.length : place;
};

const objectOf = (value: unknown): Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Document) : {};

function completeInputs(given: Document, { inputs }: ModelFacts): Document {
  const only = inputs.length === 1 ? inputs[0] : undefined;
  const found = { ...(only === undefined ? {} : { tensor: only.name }), ...given };
  if ((found as Document).kind === 'image') return found;
  const added: Document = {};
  const rows = rowsOf(only, Array.isArray(given.signals) ? given.signals.length : 0);
  if (given.rows === undefined && rows !== undefined) added.rows = rows;
  if (given.gapMsMax === undefined && typeof given.periodMs === 'number') {
    added.gapMsMax = given.periodMs * GAP_PERIODS;
  }
  return { ...found, ...added };
}

/** Of `[batch, rows, signals]` or `[batch, rows * signals]`. */
function rowsOf(tensor: TensorDeclaration | undefined, signals: number): number | undefined {
  const [, first, second, ...more] = tensor?.shape ?? [];
  if (typeof first !== 'number' || more.length > 0) return undefined;
  if (second !== undefined) return first;
  return signals > 0 && first % signals === 0 ? first / signals : undefined;
}

/** For a model that gives its score itself; what other outputs mean nobody can see from outside. */
function completeOutputs(
  given: Document,
  { outputs }: ModelFacts,
  signals: number | undefined,
): Document {
  if ((given.kind ?? 'score') !== 'score' || given.score !== undefined) return given;
  const perWindow = outputs.filter(
    ({ shape }) => shape.length === 1 || (shape.length === 2 && shape[1] === 1),
  );
  const perSignal = outputs.filter(({ shape }) => shape.length === 2 && shape[1] === signals);
  const score = outputs.length === 1 ? outputs : perWindow;
  if (score.length !== 1) return given;
  const shares = perSignal.filter((output) => output !== score[0]);
  return {
    score: score[0]?.name,
    ...(shares.length === 1 ? { contributions: shares[0]?.name } : {}),
    ...given,
  };
}
