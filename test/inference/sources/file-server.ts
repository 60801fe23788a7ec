import { createHash } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface FileServer {
  port: number;
  /** `http://127.0.0.1:<port>` or, with TLS, `https://localhost:<port>`. */
  origin: string;
  /** `<method> <path> [range]` of all requests so far. */
  requests: string[];
  headers: IncomingMessage['headers'][];
  /** What may be changed while it runs. */
  files: Map<string, Buffer>;
  /** Answers a request in another way; false: in the usual one. */
  misbehave: (request: IncomingMessage, response: ServerResponse, path: string) => boolean;
  close(): Promise<void>;
}

const etagOf = (bytes: Buffer): string =>
  `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`;

/** A web server with files in memory, which knows ranges and If-Range, and which a test can make misbehave. */
export async function serveFiles(
  files: Record<string, Buffer> = {},
  tls?: { key: string; cert: string },
): Promise<FileServer> {
  const server: FileServer = {
    port: 0,
    origin: '',
    requests: [],
    headers: [],
    files: new Map(Object.entries(files)),
    misbehave: () => false,
    close: () => Promise.resolve(),
  };
  const listener: RequestListener = (request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0] ?? '');
    const range = request.headers.range === undefined ? '' : ` ${request.headers.range}`;
    server.requests.push(`${request.method} ${path}${range}`);
    server.headers.push(request.headers);
    if (server.misbehave(request, response, path)) return;
    const bytes = server.files.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else answer(request, response, bytes);
  };
  const http = tls === undefined ? createServer(listener) : createTls(tls, listener);
  await new Promise<void>((resolve) => {
    http.listen(0, '127.0.0.1', resolve);
  });
  server.port = (http.address() as AddressInfo).port;
  server.origin =
    tls === undefined ? `http://127.0.0.1:${server.port}` : `https://localhost:${server.port}`;
  server.close = () =>
    new Promise((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return server;
}

/** As RFC 9110 says, for one range with an open end. */
export function answer(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const etag = etagOf(bytes);
  const { range, 'if-range': ifRange } = request.headers;
  const wanted = /^bytes=(\d+)-$/.exec(range ?? '')?.[1];
  if (wanted === undefined || (ifRange !== undefined && ifRange !== etag)) {
    response.writeHead(200, { etag, 'content-length': bytes.length });
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return;
  }
  const start = Number(wanted);
  if (start >= bytes.length) {
    response.writeHead(416, { etag, 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  const part = bytes.subarray(start);
  const contentRange = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(206, { etag, 'content-range': contentRange, 'content-length': part.length });
  response.end(part);
}
