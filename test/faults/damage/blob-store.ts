import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ACCOUNT, KEY } from '../../forwarder/azurite.ts';

export interface Blob {
  body: Buffer;
  metadata: Record<string, string>;
}

/** How the store answers: as it should, not at all, or with the answer lost after the blob is there. */
export type StoreMode = 'well' | 'away' | 'answers-lost';

/** As much of Blob Storage as the forwarder needs, in memory, so that a thousand rounds take minutes. */
export class BlobStore {
  readonly blobs: Map<string, Blob>;
  mode: StoreMode = 'well';
  readonly #server: Server;

  private constructor(blobs: Map<string, Blob>) {
    this.blobs = new Map(blobs);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(blobs = new Map<string, Blob>()): Promise<BlobStore> {
    const store = new BlobStore(blobs);
    await new Promise<void>((resolve) => store.#server.listen(0, '127.0.0.1', resolve));
    return store;
  }

  get connection(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${KEY};BlobEndpoint=http://127.0.0.1:${port}/${ACCOUNT};`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.mode === 'away') {
      request.socket.destroy();
      return;
    }
    const url = new URL(request.url ?? '/', 'http://store');
    const name = decodeURIComponent(url.pathname).split('/').slice(3).join('/');
    if (name === '') response.writeHead(request.method === 'PUT' ? 201 : 200).end();
    else if (request.method === 'PUT') this.#put(name, Buffer.concat(parts), request, response);
    else this.#head(name, response);
  }

  #put(name: string, body: Buffer, request: IncomingMessage, response: ServerResponse): void {
    if (this.blobs.has(name)) {
      response.writeHead(409, { 'x-ms-error-code': 'BlobAlreadyExists' }).end();
      return;
    }
    const metadata = Object.entries(request.headers)
      .filter(([header]) => header.startsWith('x-ms-meta-'))
      .map(([header, value]) => [header.slice('x-ms-meta-'.length), String(value)]);
    this.blobs.set(name, { body, metadata: Object.fromEntries(metadata) });
    if (this.mode === 'answers-lost') request.socket.destroy();
    else response.writeHead(201, { etag: '"1"' }).end();
  }

  #head(name: string, response: ServerResponse): void {
    const blob = this.blobs.get(name);
    if (blob === undefined) {
      response.writeHead(404, { 'x-ms-error-code': 'BlobNotFound' }).end();
      return;
    }
    const headers = Object.entries(blob.metadata).map(([key, value]) => [
      `x-ms-meta-${key}`,
      value,
    ]);
    response.writeHead(200, {
      ...Object.fromEntries(headers),
      'content-length': String(blob.body.length),
    });
    response.end();
  }
}
