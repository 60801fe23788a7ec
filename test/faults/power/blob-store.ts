import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ACCOUNT, KEY } from '../../forwarder/azurite.ts';

export interface KeptBlob {
  body: Buffer;
  metadata: Record<string, string>;
}

/**
 * As much of Blob Storage as one upload in one request needs, in this process: Azurite would be a second disk to
 * think about. What it has taken is never lost, and a name is given once.
 */
export class BlobStore {
  readonly blobs = new Map<string, KeptBlob>();
  /** Told before the answer leaves. */
  onPut: ((name: string, blob: KeptBlob) => void) | undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async open(): Promise<BlobStore> {
    const store = new BlobStore();
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get connectionString(): string {
    const { port } = this.#server.address() as AddressInfo;
    const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
    return `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=${endpoint};`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '', 'http://localhost');
    const name = decodeURIComponent(url.pathname);
    const kept = this.blobs.get(name);
    if (request.method === 'HEAD' || request.method === 'GET') {
      if (kept === undefined) return end(response, 404, { 'x-ms-error-code': 'BlobNotFound' });
      return end(response, 200, {
        'content-length': String(kept.body.length),
        ...named('x-ms-meta-', kept.metadata),
      });
    }
    if (request.method !== 'PUT' || url.searchParams.has('comp')) return end(response, 501, {});
    if (url.searchParams.has('restype')) return end(response, 201, {});
    if (kept !== undefined) return end(response, 409, { 'x-ms-error-code': 'BlobAlreadyExists' });
    const metadata: Record<string, string> = {};
    for (const [header, value] of Object.entries(request.headers)) {
      if (header.startsWith('x-ms-meta-')) metadata[header.slice(10)] = String(value);
    }
    const blob = { body: Buffer.concat(chunks), metadata };
    this.blobs.set(name, blob);
    this.onPut?.(name, blob);
    return end(response, 201, { etag: '"0x1"', 'last-modified': new Date().toUTCString() });
  }
}

const named = (prefix: string, values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));

function end(response: ServerResponse, status: number, headers: Record<string, string>): void {
  response.writeHead(status, { 'x-ms-version': '2021-08-06', ...headers });
  response.end();
}
