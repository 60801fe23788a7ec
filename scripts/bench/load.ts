/**
 * Load on ingest from a process of its own: `node load.ts <json>`; prints one JSON line with what was acknowledged.
 * Raw sockets with kept-alive connections, one request at a time on each, so that the generator costs little; what it
 * does cost is in its result, because it shares the cores with what it measures.
 */
import { connect, type Socket } from 'node:net';
import { Bodies } from './bodies.ts';

export interface LoadOptions {
  port: number;
  token: string;
  /** `rows` in one post: 1 posts single JSON objects, more posts columns. */
  rows: number;
  connections: number;
  /** Readings a second over all connections; 0 as fast as it goes. */
  rate: number;
  /** Ends after so many seconds or readings, whichever comes first; 0 means no limit. */
  seconds: number;
  readings: number;
  /** @default 8 */
  assets?: number;
  /** @default 8 */
  signals?: number;
}

export interface LoadResult {
  readings: number;
  posts: number;
  seconds: number;
  /** Bytes of request bodies that were acknowledged. */
  bodyBytes: number;
  /** Posts that were told to wait. */
  throttled: number;
  /** Processor time of the generator itself. */
  cpuSeconds: number;
  /** Time from request to acknowledgement. */
  latencyMs: { p50: number; p99: number };
}

const START_MS = Date.now() - 30 * 86_400_000;

class Connection {
  readonly #socket: Socket;
  #waiting: ((answer: string) => void) | undefined;
  #text = '';

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk: string) => this.#take(chunk));
    this.#socket.on('error', (error) => {
      throw error;
    });
  }

  request(text: string): Promise<string> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      // All of it is ASCII; said so, it is sent as it lies in memory.
      this.#socket.write(text, 'latin1');
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#text = this.#text === '' ? chunk : this.#text + chunk;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const at = this.#text.search(/content-length: /i);
    const length = at < 0 ? 0 : Number.parseInt(this.#text.slice(at + 16, at + 26), 10);
    if (this.#text.length < headEnd + 4 + length) return;
    const answer = this.#text;
    this.#text = '';
    this.#waiting?.(answer);
  }
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const { assets = 8, signals = 8 } = options;
  const bodies = new Bodies({ assets, signals, rows: options.rows, startMs: START_MS });
  const rowsEach = bodies.rows;
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const endAt = options.seconds > 0 ? startedAt + options.seconds * 1000 : Number.POSITIVE_INFINITY;
  const most = options.readings > 0 ? options.readings : Number.POSITIVE_INFINITY;
  const result = { readings: 0, posts: 0, bodyBytes: 0, throttled: 0 };
  const latencies: number[] = [];
  let claimed = 0;
  const head = `POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${options.token}\r\nContent-Type: application/json\r\n`;

  const worker = async (): Promise<void> => {
    const connection = new Connection(options.port);
    while (performance.now() < endAt && claimed < most) {
      claimed += rowsEach;
      if (options.rate > 0) {
        const aheadMs = startedAt + (claimed / options.rate) * 1000 - performance.now();
        if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      }
      const body = bodies.next();
      const request = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
      for (;;) {
        const sentAt = performance.now();
        const answer = await connection.request(request);
        if (answer.startsWith('HTTP/1.1 202')) {
          latencies.push(performance.now() - sentAt);
          break;
        }
        if (!answer.startsWith('HTTP/1.1 429')) throw new Error(answer.slice(0, 600));
        result.throttled += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      result.readings += rowsEach;
      result.posts += 1;
      result.bodyBytes += body.length;
    }
    connection.end();
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  const cpu = process.cpuUsage(cpuBefore);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return {
    ...result,
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    latencyMs: { p50: at(0.5), p99: at(0.99) },
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}'))));
}
