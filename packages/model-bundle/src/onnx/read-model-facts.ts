import type { FileHandle } from 'node:fs/promises';
import { type Problem, showValue } from '@holdfast/contracts';
import { BundleError, type BundleErrorCode } from '../errors.ts';
import type { TensorDeclaration } from '../tensors.ts';
import { MODEL_LIMITS, type ModelLimits } from './limits.ts';
import { type Message, pathOf } from './message.ts';
import type { ExternalData, ModelFacts } from './model-facts.ts';
import { MODEL } from './shapes.ts';
import { DATA_TYPES, elementsOf, sizeOf } from './tensor-size.ts';
import { walk } from './walk.ts';

const FILE = 'model.onnx';
/** The runtime has some four hundred operators. */
const OPERATORS_MAX = 4_096;
const FUNCTIONS_NAMED = 3;

/**
 * Walks through an ONNX file and says what it is, before anything else parses it. Refuses what no acceptable file has:
 * bytes that are no such file, weights that do not have the size of their dimensions, names that are there twice, and
 * more of anything than the limits allow. Never reads the weights; memory does not grow with the file.
 * @throws BundleError BUNDLE_GARBLED, BUNDLE_GRAPH, BUNDLE_LIMIT
 */
export async function readModelFacts(
  file: FileHandle,
  limits: ModelLimits = MODEL_LIMITS,
): Promise<ModelFacts> {
  const collector = new Collector(limits);
  await walk(file, MODEL, limits, (message, within) => collector.close(message, within));
  return collector.facts();
}

/** `ai.onnx` and the empty name are the same domain. */
const domainOf = (text: string): string => (text === 'ai.onnx' ? '' : text);

class Collector {
  readonly #limits: ModelLimits;
  readonly #opsets = new Map<string, number>();
  readonly #inputs = new Map<string, TensorDeclaration>();
  readonly #outputs = new Map<string, TensorDeclaration>();
  readonly #initialisers = new Set<string>();
  readonly #operators = new Map<string, Map<string, number>>();
  readonly #external = new Map<string, ExternalData>();
  readonly #functions: string[] = [];
  #model: Message | undefined;
  #operatorKinds = 0;
  #nodes = 0;
  #tensors = 0;
  #graphDepth = 0;
  #parameters = 0;
  #weightBytes = 0;

  constructor(limits: ModelLimits) {
    this.#limits = limits;
  }

  close(message: Message, within: readonly Message[]): void {
    switch (message.shape.name) {
      case 'ModelProto':
        this.#model = message;
        return;
      case 'OperatorSetIdProto':
        this.#operatorSet(message);
        return;
      case 'FunctionProto':
        this.#function(message);
        return;
      case 'GraphProto':
        this.#graph(message, within);
        return;
      case 'NodeProto':
        this.#node(message, within);
        return;
      case 'TensorProto':
        this.#tensor(message, within);
        return;
      case 'SparseTensorProto':
        this.#sparse(message, within);
        return;
      case 'ValueInfoProto':
        this.#declaration(message, within);
        return;
    }
  }

  facts(): ModelFacts {
    const model = this.#model;
    if (model?.one('graph') === undefined) {
      throw new BundleError('BUNDLE_GARBLED', `${FILE}: has no graph: it is not an ONNX model`, {
        file: FILE,
      });
    }
    const producer = `${model.text('producer_name')} ${model.text('producer_version')}`.trim();
    return {
      irVersion: model.int('ir_version') ?? 0,
      producer,
      opsets: this.#opsets,
      inputs: [...this.#inputs.values()].filter(({ name }) => !this.#initialisers.has(name)),
      outputs: [...this.#outputs.values()],
      operators: this.#operators,
      nodes: this.#nodes,
      graphDepth: this.#graphDepth,
      parameters: this.#parameters,
      weightBytes: this.#weightBytes,
      externalData: [...this.#external.values()],
      functions: this.#functions,
    };
  }

  #operatorSet(message: Message): void {
    const domain = domainOf(message.text('domain'));
    const version = message.int('version') ?? 0;
    // Of two versions of one domain the runtime takes one; which, must not matter.
    const known = this.#opsets.get(domain) ?? version;
    if (known !== version) {
      const path = `opset_import[${JSON.stringify(domain)}]`;
      throw refused('BUNDLE_GRAPH', {
        path,
        value: `${known} and ${version}`,
        allowed: 'must be there once',
      });
    }
    this.#opsets.set(domain, version);
  }

  #function(message: Message): void {
    if (this.#functions.length >= FUNCTIONS_NAMED) return;
    this.#functions.push(`${message.text('domain')}.${message.text('name')}`);
  }

  #graph(_message: Message, within: readonly Message[]): void {
    const depth = 1 + within.filter(({ shape }) => shape.name === 'GraphProto').length;
    this.#graphDepth = Math.max(this.#graphDepth, depth);
    this.#mustBeAtMost(within, 'graphs in each other', depth, this.#limits.graphDepthMax);
  }

  #node(message: Message, within: readonly Message[]): void {
    this.#nodes += 1;
    this.#mustBeAtMost(within, 'nodes', this.#nodes, this.#limits.nodesMax);
    const domain = domainOf(message.text('domain'));
    const operators = this.#operators.get(domain) ?? new Map<string, number>();
    this.#operators.set(domain, operators);
    const operator = message.text('op_type');
    const count = operators.get(operator) ?? 0;
    operators.set(operator, count + 1);
    if (count > 0) return;
    this.#operatorKinds += 1;
    this.#mustBeAtMost(within, 'kinds of operators', this.#operatorKinds, OPERATORS_MAX);
  }

  #tensor(message: Message, within: readonly Message[]): void {
    const path = pathOf([...within, message]);
    const named = message.hasText('name') ? `${path} ${showValue(message.text('name'))}` : path;
    const size = sizeOf(message);
    if (!('elements' in size)) {
      throw refused('BUNDLE_GRAPH', { ...size, path: `${named}.${size.path}` });
    }
    if (within.length === 2 && message.place.startsWith('initializer')) {
      const name = message.text('name');
      if (this.#initialisers.has(name)) {
        throw refused('BUNDLE_GRAPH', {
          path,
          value: showValue(name),
          allowed: 'must be there once',
        });
      }
      this.#initialisers.add(name);
    }
    this.#tensors += 1;
    this.#mustBeAtMost(within, 'tensors', this.#tensors, this.#limits.tensorsMax);
    this.#parameters += size.elements;
    this.#addBytes(named, size.bytes);
    if (size.external) this.#externalData(message, named, size.bytes);
  }

  /** The runtime fills sparse weights up to dense ones: their real size is that of the dimensions. */
  #sparse(message: Message, within: readonly Message[]): void {
    const path = pathOf([...within, message]);
    const elements = elementsOf(message.ints('dims'));
    if (elements === undefined) {
      const value = `[${message.ints('dims').slice(0, 8).join(', ')}]`;
      const allowed = 'must be sizes of a tensor that can be';
      throw refused('BUNDLE_GRAPH', { path: `${path}.dims`, value, allowed });
    }
    const values = message.one('values');
    const bits = DATA_TYPES[values?.int('data_type') ?? 0]?.bits ?? 64;
    this.#addBytes(path, Math.ceil((elements * bits) / 8));
    if (message.place.startsWith('sparse_initializer') && within.length === 2) {
      this.#initialisers.add(values?.text('name') ?? '');
    }
  }

  #declaration(message: Message, within: readonly Message[]): void {
    // Inputs and outputs of inner graphs are for the runtime to match.
    if (within.length !== 2) return;
    const list = message.place.startsWith('input') ? this.#inputs : this.#outputs;
    const declaration = declarationOf(message);
    if (list.has(declaration.name)) {
      const path = pathOf([...within, message]);
      const value = showValue(declaration.name);
      throw refused('BUNDLE_GRAPH', { path, value, allowed: 'must be there once' });
    }
    list.set(declaration.name, declaration);
    const what = list === this.#inputs ? 'inputs' : 'outputs';
    this.#mustBeAtMost(within, what, list.size, this.#limits.declarationsMax);
  }

  #externalData(tensor: Message, path: string, bytes: number): void {
    const entries = new Map<string, string>();
    for (const entry of tensor.all('external_data')) {
      const key = entry.text('key');
      if (entries.has(key)) {
        const allowed = 'must be there once';
        throw refused('BUNDLE_EXTERNAL_DATA', { path: `${path}.${key}`, allowed });
      }
      entries.set(key, entry.text('value'));
    }
    const location = entries.get('location') ?? '';
    const offset = wholeNumber(entries.get('offset'), 0);
    const length = wholeNumber(entries.get('length'), bytes);
    if (offset === undefined || length !== bytes) {
      const value = `offset ${entries.get('offset')}, length ${entries.get('length')}`;
      const allowed = `must be whole numbers, and the length ${bytes} bytes, as its dimensions say`;
      throw refused('BUNDLE_EXTERNAL_DATA', { path, value, allowed });
    }
    const before = this.#external.get(location);
    const end = offset + length;
    const last = before === undefined || end > before.end;
    this.#external.set(location, {
      location,
      tensors: (before?.tensors ?? 0) + 1,
      bytes: (before?.bytes ?? 0) + bytes,
      end: last ? end : before.end,
      endOf: last ? path : before.endOf,
    });
    const max = this.#limits.externalFilesMax;
    this.#mustBeAtMost([], 'files with weights', this.#external.size, max);
  }

  #addBytes(path: string, bytes: number): void {
    this.#weightBytes += bytes;
    const max = this.#limits.weightBytesMax;
    if (this.#weightBytes <= max) return;
    const value = `${this.#weightBytes} bytes of weights up to here`;
    throw refused('BUNDLE_LIMIT', { path, value, allowed: `must be at most ${max}` });
  }

  #mustBeAtMost(within: readonly Message[], what: string, value: number, max: number): void {
    if (value <= max) return;
    const path = pathOf(within) || 'model';
    throw refused('BUNDLE_LIMIT', {
      path,
      value: `${value} ${what}`,
      allowed: `must be at most ${max}`,
    });
  }
}

const refused = (code: BundleErrorCode, problem: Problem): BundleError =>
  BundleError.of(code, FILE, [problem]);

function wholeNumber(text: string | undefined, otherwise: number): number | undefined {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(value) ? value : undefined;
}

/** A dimension without size and name is free too; a tensor without shape, and what is no tensor, has none. */
function declarationOf(value: Message): TensorDeclaration {
  const tensor = value.one('type')?.one('tensor_type');
  const shape = tensor?.one('shape');
  const type = DATA_TYPES[tensor?.int('elem_type') ?? 0]?.name;
  return {
    name: value.text('name'),
    type: tensor === undefined ? 'not a tensor' : (type ?? 'unknown'),
    shape: (shape?.all('dim') ?? []).map(
      (dim) => dim.int('dim_value') ?? (dim.text('dim_param') || '?'),
    ),
  };
}
