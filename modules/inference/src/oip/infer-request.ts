import type { Datatype } from '../domain/tensor.ts';
import { wrong } from './api-error.ts';
import { show } from './show.ts';
import { fromJson } from './tensor-json.ts';
import { isDatatype, readShape } from './tensor-shape.ts';

/** An input as it was sent. Its elements are in `data`, or are the next `binarySize` bytes after the JSON. */
export interface RequestInput {
  name: string;
  datatype: Datatype;
  shape: number[];
  data?: Uint8Array<ArrayBuffer>;
  binarySize?: number;
}

/** An output that is asked for. */
export interface RequestOutput {
  name: string;
  /** Undefined: as the request as a whole says. */
  binary?: boolean;
  /** Number of classes that are wanted instead of the tensor. */
  classes?: number;
}

/** A request of the protocol, checked by itself; whether it fits the model is for `bindInputs`. */
export interface InferRequest {
  id?: string;
  priority: number;
  /** From the arrival of the request on; undefined: as long as the module allows. */
  timeoutMs?: number;
  /** Outputs that do not say otherwise come as binary data. */
  binary: boolean;
  inputs: RequestInput[];
  /** Undefined: all. */
  outputs?: RequestOutput[];
}

type Fields = Record<string, unknown>;

const PRIORITY_MAX = 2 ** 32 - 1;
const TIMEOUT_US_MAX = Number.MAX_SAFE_INTEGER;
const SHARED_MEMORY = 'shared_memory_region';

/** Reads the JSON part of a request. Whatever it does not know is ignored, as the protocol wants. @throws ApiError 400 */
export function readInferRequest(json: unknown): InferRequest {
  const body = fieldsOf(json, 'body');
  const parameters = parametersOf(body, 'request');
  const request: InferRequest = {
    priority: wholeNumber(parameters.priority ?? 0, 'parameters.priority', PRIORITY_MAX),
    binary: flag(parameters.binary_data_output, 'parameters.binary_data_output') ?? false,
    inputs: listOf(body.inputs, 'inputs').map(readInput),
  };
  if (body.id !== undefined) {
    if (typeof body.id !== 'string') throw notAllowed('id', body.id, 'a text');
    request.id = body.id;
  }
  if (parameters.timeout !== undefined) {
    const timeout = wholeNumber(parameters.timeout, 'parameters.timeout', TIMEOUT_US_MAX);
    // 0 is "no timeout of my own", as in Triton.
    if (timeout > 0) request.timeoutMs = timeout / 1_000;
  }
  if (body.outputs !== undefined) {
    request.outputs = listOf(body.outputs, 'outputs').map(readOutput);
    mustBeUnique(request.outputs, 'output');
  }
  mustBeUnique(request.inputs, 'input');
  return request;
}

function readInput(value: unknown, index: number): RequestInput {
  const fields = fieldsOf(value, `inputs[${index}]`);
  const name = nameOf(fields, `inputs[${index}]`);
  const where = `input "${name}"`;
  const { datatype } = fields;
  if (!isDatatype(datatype)) {
    throw wrong(`${where}: datatype ${show(datatype)} is not one of the protocol`);
  }
  const shape = readShape(fields.shape, where);
  const input: RequestInput = { name, datatype, shape };
  const parameters = parametersOf(fields, where);
  if (parameters[SHARED_MEMORY] !== undefined)
    throw wrong(`${where}: shared memory is not supported`);
  if (parameters.binary_data_size !== undefined) {
    const path = `${where}: parameters.binary_data_size`;
    input.binarySize = wholeNumber(parameters.binary_data_size, path, Number.MAX_SAFE_INTEGER);
    if (fields.data !== undefined) throw wrong(`${where}: has both data and binary_data_size`);
  } else {
    if (fields.data === undefined) throw wrong(`${where}: has neither data nor binary_data_size`);
    input.data = fromJson(input, fields.data, where);
  }
  return input;
}

function readOutput(value: unknown, index: number): RequestOutput {
  const fields = fieldsOf(value, `outputs[${index}]`);
  const name = nameOf(fields, `outputs[${index}]`);
  const where = `output "${name}"`;
  const parameters = parametersOf(fields, where);
  if (parameters[SHARED_MEMORY] !== undefined)
    throw wrong(`${where}: shared memory is not supported`);
  const binary = flag(parameters.binary_data, `${where}: parameters.binary_data`);
  const path = `${where}: parameters.classification`;
  const classes = wholeNumber(parameters.classification ?? 0, path, 2 ** 31 - 1);
  return {
    name,
    ...(binary === undefined ? {} : { binary }),
    ...(classes === 0 ? {} : { classes }),
  };
}

/** Values of parameters are texts, numbers and booleans; what they are called is free. */
function parametersOf(fields: Fields, where: string): Fields {
  if (fields.parameters === undefined) return {};
  const parameters = fieldsOf(fields.parameters, `${where}: parameters`);
  for (const [name, value] of Object.entries(parameters)) {
    if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) continue;
    throw notAllowed(`${where}: parameters.${name}`, value, 'a text, a number or a boolean');
  }
  return parameters;
}

const notAllowed = (path: string, value: unknown, allowed: string) =>
  wrong(
    value === undefined
      ? `${path}: is missing, must be ${allowed}`
      : `${path}: ${show(value)} is not allowed, must be ${allowed}`,
  );

function fieldsOf(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw notAllowed(path, value, 'an object');
  }
  return value as Fields;
}

function listOf(value: unknown, path: string): unknown[] {
  if (!Array.isArray(value)) throw notAllowed(path, value, 'an array');
  return value;
}

function nameOf({ name }: Fields, path: string): string {
  if (typeof name !== 'string' || name === '') throw notAllowed(`${path}.name`, name, 'a name');
  return name;
}

function flag(value: unknown, path: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw notAllowed(path, value, 'true or false');
}

function wholeNumber(value: unknown, path: string, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) {
    return value as number;
  }
  throw notAllowed(path, value, `a whole number from 0 to ${most}`);
}

function mustBeUnique(named: readonly { name: string }[], what: string): void {
  const names = new Set<string>();
  for (const { name } of named) {
    if (names.has(name)) throw wrong(`${what} "${name}": is named more than once`);
    names.add(name);
  }
}
