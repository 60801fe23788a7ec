import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { gunzipSync, inflateSync } from 'node:zlib';
import type { CheckedAnswer } from './answer-check.ts';

export interface Sent {
  headers?: Record<string, string>;
  /** A value becomes JSON. */
  body?: unknown;
  /** Without an announced length. */
  chunked?: boolean;
  /** Between two halves of the body. */
  pauseMs?: number;
}

/** Sends a request and reads the whole answer, inflated. */
export function sendRequest(
  url: string,
  method: string,
  { headers = {}, body, chunked, pauseMs }: Sent,
  agent: Agent,
): Promise<CheckedAnswer> {
  const isBytes = body instanceof Uint8Array;
  const bytes = isBytes || body === undefined ? body : Buffer.from(JSON.stringify(body));
  const type = bytes === undefined || isBytes ? {} : { 'content-type': 'application/json' };
  const length =
    bytes === undefined || chunked === true ? {} : { 'content-length': bytes.byteLength };
  const options = { method, agent, headers: { ...type, ...length, ...headers } };
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, options);
    request.once('error', reject);
    request.once('response', (response) => collect(response).then(resolve, reject));
    if (pauseMs === undefined || bytes === undefined) {
      request.end(bytes);
      return;
    }
    request.write(bytes.subarray(0, bytes.length / 2));
    setTimeout(() => request.end(bytes.subarray(bytes.length / 2)), pauseMs);
  });
}

async function collect(response: IncomingMessage): Promise<CheckedAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode, headers } = response;
  const encoded = Buffer.concat(chunks);
  const decode = { gzip: gunzipSync, deflate: inflateSync }[headers['content-encoding'] ?? ''];
  return { status: statusCode!, headers, body: decode?.(encoded) ?? encoded };
}
