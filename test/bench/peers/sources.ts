import { connect, type Socket } from 'node:net';
import mqtt, { type MqttClient } from 'mqtt';
import { bodyOf } from './readings.ts';

/**
 * The way of readings into a peer. A source keeps a message until it is acknowledged in the peer's own terms, and
 * sends it again when it cannot know.
 */
export interface Source {
  /** Resolves once the readings are acknowledged; rejects only when `signal` aborts. */
  send(first: number, count: number, signal: AbortSignal): Promise<void>;
  /** Answers that were no acknowledgement, by what was said: an HTTP status, `no answer`, `disconnected`. */
  readonly told: Record<string, number>;
  close(): Promise<void>;
}

const ANSWER_MS = 5_000;
const RETRY_MS = 100;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const note = (told: Record<string, number>, what: string): void => {
  told[what] = (told[what] ?? 0) + 1;
};

/** One POST after the other on each of its kept-alive connections; more calls at once open more connections. */
export class HttpSource implements Source {
  readonly told: Record<string, number> = {};
  readonly #free: Connection[] = [];
  readonly #options: { port: number; path: string; headers?: Readonly<Record<string, string>> };
  #closed = false;

  constructor(options: {
    port: number;
    path: string;
    headers?: Readonly<Record<string, string>>;
  }) {
    this.#options = options;
  }

  async send(first: number, count: number, signal: AbortSignal): Promise<void> {
    const body = bodyOf(first, count);
    const headers = Object.entries(this.#options.headers ?? {})
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join('');
    const request = `POST ${this.#options.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: ${first}-${count}\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    for (;;) {
      signal.throwIfAborted();
      const connection = this.#free.pop() ?? new Connection(this.#options.port);
      const status = await connection.request(request, signal);
      if (connection.usable && !this.#closed) this.#free.push(connection);
      else connection.end();
      if (status !== undefined && status >= 200 && status < 300) return;
      signal.throwIfAborted();
      note(this.told, status === undefined ? 'no answer' : `HTTP ${status}`);
      await pause(RETRY_MS);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#free) connection.end();
  }
}

class Connection {
  usable = true;
  readonly #socket: Socket;
  #waiting: ((status: number | undefined) => void) | undefined;
  #text = '';

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => this.#take(chunk));
    this.#socket.on('error', () => this.#lost());
    this.#socket.on('close', () => this.#lost());
  }

  /** Status of the answer, or undefined when there was none in time. */
  request(text: string, signal: AbortSignal): Promise<number | undefined> {
    return new Promise((resolve) => {
      if (!this.usable) return resolve(undefined);
      const lost = (): void => this.#lost();
      const timer = setTimeout(lost, ANSWER_MS);
      signal.addEventListener('abort', lost, { once: true });
      this.#waiting = (status) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', lost);
        resolve(status);
      };
      this.#socket.write(text);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #lost(): void {
    this.usable = false;
    this.#answer(undefined);
  }

  #answer(status: number | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(status);
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = this.#text.slice(0, headEnd);
    const status = Number(head.slice(9, 12));
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const chunked = /transfer-encoding: *chunked/i.test(head);
    const body = this.#text.slice(headEnd + 4);
    if (chunked ? !body.endsWith('0\r\n\r\n') : body.length < length) return;
    if (/connection: *close/i.test(head)) this.usable = false;
    this.#text = '';
    this.#answer(status);
  }
}

/** Messages with QoS 1; the client keeps each until its PUBACK, and sends it again after a reconnect. */
export class MqttSource implements Source {
  readonly told: Record<string, number> = {};
  readonly #client: MqttClient;

  constructor(options: { port: number; clientId: string }) {
    this.#client = mqtt.connect({
      ...{ host: '127.0.0.1', port: options.port, clientId: options.clientId, clean: false },
      ...{ reconnectPeriod: RETRY_MS, connectTimeout: ANSWER_MS, protocolVersion: 4 },
    });
    this.#client.on('error', () => {});
    this.#client.on('offline', () => note(this.told, 'disconnected'));
  }

  send(first: number, count: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const aborted = (): void => reject(signal.reason);
      signal.addEventListener('abort', aborted, { once: true });
      this.#client.publish('readings', bodyOf(first, count), { qos: 1 }, (error) => {
        signal.removeEventListener('abort', aborted);
        // The client gives a message up only when it is closed; then the source has no acknowledgement.
        if (!error) resolve();
      });
    });
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
