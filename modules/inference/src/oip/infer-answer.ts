import type { Tensor } from '../domain/tensor.ts';
import type { Answer } from './answer.ts';
import { classify } from './classification.ts';
import type { InferRequest, RequestOutput } from './infer-request.ts';
import { toBinary } from './tensor-binary.ts';
import { toJson } from './tensor-json.ts';

/** Announces how many bytes of a body are its JSON. */
export const HEADER_LENGTH = 'inference-header-content-length';

/**
 * The answer to a request: JSON, and after it the outputs that were asked for as binary data.
 * @throws ApiError 400 when an output cannot be given in the form that was asked for
 */
export function inferAnswer(parts: {
  request: InferRequest;
  model: { name: string; version: string };
  wanted: readonly RequestOutput[];
  /** In the order of `wanted`. */
  outputs: readonly Tensor[];
  labels?: (output: string) => readonly string[] | undefined;
}): Answer {
  const { request, model, wanted, outputs, labels } = parts;
  const id = request.id === undefined ? {} : { id: request.id };
  const head = { model_name: model.name, model_version: model.version, ...id };
  const json: Iterable<string>[] = [[`${JSON.stringify(head).slice(0, -1)},"outputs":[`]];
  const binary: Uint8Array[] = [];
  let anyBinary = false;
  for (const [at, { binary: own, classes, name }] of wanted.entries()) {
    const output = outputs[at]!;
    const tensor = classes === undefined ? output : classify(output, classes, labels?.(name));
    const { datatype, shape } = tensor;
    const fields = `${at === 0 ? '' : ','}${JSON.stringify({ name, datatype, shape }).slice(0, -1)}`;
    if (own ?? request.binary) {
      const bytes = toBinary(tensor.data);
      anyBinary = true;
      binary.push(bytes);
      json.push([`${fields},"parameters":{"binary_data_size":${bytes.byteLength}}}`]);
    } else {
      json.push([`${fields},"data":`], toJson(tensor, `output "${name}"`), ['}']);
    }
  }
  json.push([']}']);
  if (!anyBinary) return { status: 200, json };
  // The length of the JSON goes before it, so it is put together first; with binary outputs it is short.
  const text = Buffer.from(json.flatMap((pieces) => [...pieces]).join(''));
  return {
    status: 200,
    headers: { [HEADER_LENGTH]: String(text.byteLength) },
    binary: [text, ...binary],
  };
}
