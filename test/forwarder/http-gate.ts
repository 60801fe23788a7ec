import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Refusal {
  status: number;
  code: string;
  headers?: Record<string, string>;
}

/** PEM. */
export interface GateTls {
  key: string;
  cert: string;
}

/** An HTTP proxy in front of a store that can lose answers and refuse requests. Signatures stay valid: they do not cover the port. */
export class HttpGate {
  /** Says of a request that its answer gets lost: it is forwarded, the answer is read, the connection is cut. */
  loseAnswer: (message: IncomingMessage) => boolean = () => false;
  /** Answers in place of the store. */
  refuse: (message: IncomingMessage) => Refusal | undefined = () => undefined;
  /** Called with the status of each answer of the store, lost or not. */
  onAnswer: (message: IncomingMessage, status: number) => void = () => {};
  readonly seen: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];
  readonly #server: Server;
  readonly #target: number;

  private constructor(target: number, tls: GateTls | undefined) {
    this.#target = target;
    const handle = (message: IncomingMessage, answer: ServerResponse): void =>
      this.#handle(message, answer);
    this.#server = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  }

  /** With `tls` it speaks HTTPS to its clients; to the store it always speaks HTTP. */
  static async open(target: number, tls?: GateTls): Promise<HttpGate> {
    const gate = new HttpGate(target, tls);
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #handle(message: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url = '', headers } = message;
    this.seen.push({ method, url, headers });
    const refusal = this.refuse(message);
    if (refusal !== undefined) {
      message.resume();
      answer.writeHead(refusal.status, { 'x-ms-error-code': refusal.code, ...refusal.headers });
      answer.end();
      return;
    }
    const lose = this.loseAnswer(message);
    const forward = request(
      { host: '127.0.0.1', port: this.#target, method, path: url, headers },
      (reply) => {
        this.onAnswer(message, reply.statusCode ?? 0);
        if (lose) {
          reply.resume();
          reply.once('end', () => message.socket.destroy());
          return;
        }
        answer.writeHead(reply.statusCode ?? 502, reply.headers);
        reply.pipe(answer);
      },
    );
    forward.once('error', () => message.socket.destroy());
    message.pipe(forward);
  }
}
