import type { IncomingMessage, ServerResponse } from 'node:http';
import { CloudError } from './errors.ts';

export interface JsonRequest {
  method: string;
  /** Decoded segments. */
  path: string[];
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  /** Undefined when there is no body. */
  body: unknown;
  /** Aborted when the client has gone. */
  gone: AbortSignal;
}

export interface JsonReply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}

/** Bytes of a request body: a batch of messages from the hub in base64. */
const BODY_BYTES_MAX = 4 * 1_024 * 1_024;

/** Runs a handler for one request and writes what it returns or throws, as JSON in IoT Hub's form. */
export async function serveJson(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (request: JsonRequest) => Promise<JsonReply> | JsonReply,
): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://cloud');
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const reply = await handle({
      method: request.method ?? 'GET',
      path: url.pathname.slice(1).split('/').map(decodeURIComponent),
      query: url.searchParams,
      headers: request.headers,
      body: await readJson(request),
      gone: gone.signal,
    });
    write(response, reply);
  } catch (error) {
    const { status = 500, code = 'ServerError', message } = error as Partial<CloudError>;
    write(response, {
      status,
      body: { Message: `ErrorCode:${code};${message}`, ExceptionMessage: '' },
    });
  }
}

function write(response: ServerResponse, reply: JsonReply): void {
  if (response.destroyed) return;
  const text = reply.body === undefined ? '' : JSON.stringify(reply.body);
  response.writeHead(reply.status, {
    ...(text === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    'content-length': Buffer.byteLength(text),
    ...reply.headers,
  });
  response.end(text);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new CloudError('ArgumentInvalid', 'the body is too large');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new CloudError('ArgumentInvalid', 'the body is not JSON');
  }
}
