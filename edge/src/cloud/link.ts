import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { CloudConfig } from './config.ts';

/**
 * The cloud's only way in, which can be cut. Up: listens. Down: the port is closed and all connections are reset,
 * for hubs and service clients alike, as when the site's uplink is gone. The port stays the same.
 */
export class Link {
  readonly #config: CloudConfig;
  readonly #serve: (request: IncomingMessage, response: ServerResponse) => void;
  #server: Server | undefined;
  #port: number;

  constructor(
    config: CloudConfig,
    serve: (request: IncomingMessage, response: ServerResponse) => void,
  ) {
    this.#config = config;
    this.#serve = serve;
    this.#port = config.port;
  }

  get up(): boolean {
    return this.#server !== undefined;
  }

  get port(): number {
    return this.#port;
  }

  async set(up: boolean): Promise<void> {
    if (up === this.up) return;
    await (up ? this.#listen() : this.#cut());
  }

  async #listen(): Promise<void> {
    const { tls, host } = this.#config;
    const server = createServer(
      { key: readFileSync(tls.keyFile), cert: readFileSync(tls.certFile) },
      this.#serve,
    );
    // Set before the wait, so that two calls do not listen twice.
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => {
        this.#server = undefined;
        reject(error);
      });
      server.listen(this.#port, host, resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  async #cut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await new Promise<void>((resolve) => {
      server?.close(() => resolve());
      server?.closeAllConnections();
    });
  }
}
