/**
 * What is read of a model at most. Far above any model that a small box runs, and low enough that a hostile file costs
 * neither minutes nor memory.
 */
export const MODEL_LIMITS = {
  /** Bytes of all weights together, sparse ones as if they were dense. A model of 2 GiB needs about twice that to run. */
  weightBytesMax: 2 ** 31,
  /** Graphs inside of graphs (If, Loop, Scan), the outermost included. */
  graphDepthMax: 16,
  nodesMax: 250_000,
  /** Tensors with weights, in all graphs. */
  tensorsMax: 250_000,
  /** Inputs of a graph, and outputs. Old models list their weights as inputs too. */
  declarationsMax: 16_384,
  /** Files with weights beside the model. */
  externalFilesMax: 64,
  /** Fields of all messages that are looked at: about a second of work. */
  fieldsMax: 16_000_000,
  /** Bytes of all names. */
  textBytesMax: 64 * 1024 * 1024,
} as const;

export type ModelLimits = { readonly [Name in keyof typeof MODEL_LIMITS]: number };

/** Newest versions that ONNX Runtime 1.30, which this release runs, loads. `''` is the standard operator set. */
export const RUNTIME = {
  irVersionMax: 13,
  opsetMax: { '': 26, 'ai.onnx.ml': 5, 'com.microsoft': 1 },
} as const satisfies { irVersionMax: number; opsetMax: Readonly<Record<string, number>> };
