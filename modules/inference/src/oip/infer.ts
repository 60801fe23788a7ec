import type { CatalogEntry } from '../domain/catalog.ts';
import type { ModelRunner } from '../domain/model-runner.ts';
import type { Tensor, TensorSpec } from '../domain/tensor.ts';
import { codeOf } from '../errors.ts';
import type { Answer } from './answer.ts';
import { ApiError, wrong } from './api-error.ts';
import { bindInputs, bindOutputs, rawRequest } from './bind-request.ts';
import { HEADER_LENGTH, inferAnswer } from './infer-answer.ts';
import type { InferRequest } from './infer-request.ts';
import { readyModel } from './model-lookup.ts';
import type { Call, Shared } from './operations.ts';
import { mustBeJson } from './read-json-body.ts';
import { RequestBody } from './request-body.ts';

const MS_IN_NS = 1e6;
const EMPTY = new Uint8Array(0);

/** Failures that another runner of the same model may not have: it was exchanged just now, or its worker ended. */
const AGAIN = new Set(['SCORER_UNAVAILABLE', 'RUN_INTERRUPTED']);

/** `POST .../infer`: from the body of a request to its answer. */
export function inferOperation(shared: Shared): (call: Call) => Promise<Answer> {
  return async (call) => {
    const { request, match } = call;
    mustBeJson(request);
    // Said before the body is read; the model that answers is looked up when the body is there.
    readyModel(shared.catalog, match.model!, match.version);
    const { httpBodyBytesMax, httpJsonBytesMax } = shared.settings();
    const announced = request.headers[HEADER_LENGTH];
    const body = new RequestBody(shared.held);
    try {
      await body.read(
        request,
        announced === undefined
          ? { bytesMax: httpJsonBytesMax, what: 'as JSON, send it as binary data' }
          : { bytesMax: Math.max(httpBodyBytesMax, httpJsonBytesMax), what: 'in all' },
      );
      const jsonBytes = headerLength(announced, body.byteLength, httpJsonBytesMax);
      return await attempt(shared, call, { body, jsonBytes }).catch((error: unknown) => {
        if (!AGAIN.has(codeOf(error) ?? '')) throw error;
        return attempt(shared, call, { body, jsonBytes });
      });
    } finally {
      body.letGo();
    }
  };
}

/** One try with the model that is in use now. The body stays as it is, for a second one. */
async function attempt(
  shared: Shared,
  { match, startMs }: Call,
  { body, jsonBytes }: { body: RequestBody; jsonBytes: number },
): Promise<Answer> {
  const text = await body.bytes(0, jsonBytes);
  const rest = jsonBytes === body.byteLength ? EMPTY : await body.bytes(jsonBytes, body.byteLength);
  const isRaw = jsonBytes === 0 && rest.byteLength > 0;
  const sent = isRaw ? undefined : await shared.reader.read(text);
  // From here to `run` without a break: a model that is exchanged meanwhile still runs what it was given.
  const model = readyModel(shared.catalog, match.model!, match.version);
  const { runner } = model;
  const totalNs = (): number => (shared.clock.monotonicMs() - startMs) * MS_IN_NS;
  try {
    const { request, binary } =
      sent === undefined ? rawRequest(rest, runner.inputs) : { request: sent, binary: rest };
    const inputs = bindInputs(request, binary, runner.inputs);
    const wanted = bindOutputs(request, runner.outputs);
    const result = await runner.run(runRequest(shared, request, { inputs, wanted, startMs }));
    const answer = inferAnswer({
      request,
      model,
      wanted,
      outputs: result.outputs,
      labels: (output) => labelsOf(model.entry, output),
    });
    const rows = rowsOf(runner.inputs, inputs);
    const nowMs = shared.clock.wallMs();
    shared.statistics.succeeded(model, { result, rows, totalNs: totalNs(), nowMs });
    return answer;
  } catch (error) {
    if (!AGAIN.has(codeOf(error) ?? '')) shared.statistics.failed(model, totalNs());
    throw error;
  }
}

function runRequest(
  shared: Shared,
  { priority, timeoutMs }: InferRequest,
  parts: { inputs: Tensor[]; wanted: readonly { name: string }[]; startMs: number },
): Parameters<ModelRunner['run']>[0] {
  const { inputs, wanted, startMs } = parts;
  const patienceMs = Math.min(
    timeoutMs ?? Number.POSITIVE_INFINITY,
    shared.settings().httpTimeoutMs,
  );
  return {
    inputs,
    outputs: wanted.map(({ name }) => name),
    work: 'http',
    priority,
    deadlineMs: startMs + patienceMs,
  };
}

/** Names of the classes of an output, if the model's bundle tells them. */
function labelsOf({ manifest }: CatalogEntry, output: string): readonly string[] | undefined {
  const outputs = manifest?.outputs;
  return outputs?.kind === 'class' && outputs.probabilities === output ? outputs.labels : undefined;
}

/** Rows of the request's own part of a batch; 1 for a model without a free first dimension. */
function rowsOf([spec]: readonly TensorSpec[], [input]: readonly Tensor[]): number {
  return spec?.shape[0] === -1 ? (input?.shape[0] ?? 1) : 1;
}

/** Bytes of a body that are JSON; 0 when it is one raw tensor. @throws ApiError 400, 413 */
function headerLength(
  value: string | string[] | undefined,
  bytes: number,
  jsonBytesMax: number,
): number {
  if (value === undefined) return bytes;
  const text = String(value);
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(length <= bytes)) {
    throw wrong(
      `${HEADER_LENGTH}: "${text}" is not allowed, must be a whole number from 0 to ${bytes}`,
    );
  }
  if (length <= jsonBytesMax) return length;
  const allowed = `must be at most ${jsonBytesMax} bytes`;
  throw new ApiError(413, `${HEADER_LENGTH}: ${length} is not allowed, JSON ${allowed}`);
}
