import type { TensorDeclaration } from '../tensors.ts';

/** Weights that a model takes from one file beside it. */
export interface ExternalData {
  /** As the model names it; unchecked. */
  readonly location: string;
  readonly tensors: number;
  readonly bytes: number;
  /** Where the last of them ends, and whose it is. */
  readonly end: number;
  readonly endOf: string;
}

/** What an ONNX file says about itself, found without reading its weights. */
export interface ModelFacts {
  readonly irVersion: number;
  /** Program that wrote the file, with its version; `''` when it does not say. */
  readonly producer: string;
  /** Operator sets that it imports, `''` for the standard one. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Inputs that have no weights of their own: those that a run must give. */
  readonly inputs: readonly TensorDeclaration[];
  readonly outputs: readonly TensorDeclaration[];
  /** Nodes in all graphs, by domain (`''` for the standard one) and operator. */
  readonly operators: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly nodes: number;
  readonly graphDepth: number;
  /** Elements of all weights: initialisers, and constants among the nodes. */
  readonly parameters: number;
  readonly weightBytes: number;
  readonly externalData: readonly ExternalData[];
  /** The first functions of its own that it defines, `domain.name`. */
  readonly functions: readonly string[];
}
