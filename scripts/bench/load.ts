/**
 * Load on ingest from a process of its own: `node load.ts <json>`; prints one JSON line with what was acknowledged.
 * Raw sockets with kept-alive connections, one request at a time on each, so that the generator costs little.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  port: number;
  token: string;
  /** `rows` in one post: 1 posts single JSON objects, more posts columns of eight assets. */
  rows: number;
  connections: number;
  /** Readings a second over all connections; 0 as fast as it goes. */
  rate: number;
  /** Ends after so many seconds or readings, whichever comes first; 0 means no limit. */
  seconds: number;
  readings: number;
}

export interface LoadResult {
  readings: number;
  posts: number;
  seconds: number;
  /** Bytes of request bodies that were acknowledged. */
  bodyBytes: number;
  /** Posts that were told to wait. */
  throttled: number;
  /** Time from request to acknowledgement. */
  latencyMs: { p50: number; p99: number };
}

const SIGNALS = [
  'Accelerometer1RMS',
  'Accelerometer2RMS',
  'Current',
  'Pressure',
  'Temperature',
  'Thermocouple',
  'Voltage',
  'Volume Flow RateRMS',
];
const LEVELS = [0.2, 0.28, 2.2, 0.4, 71, 26, 235, 60];
const ASSETS = 8;

/** Values as a pump loop has them: what matters to the run time is only how many digits they have. */
const signalValue = (signal: number, row: number): number =>
  Number((LEVELS[signal]! * (1 + 0.01 * Math.sin(row * 0.37 + signal))).toPrecision(6));

/** Every asset has a clock of its own, one second a row, that never goes back. */
const clocks = Array.from({ length: ASSETS }, () => Date.now() - 30 * 86_400_000);

function bodyOf(rows: number): string {
  if (rows === 1) {
    const asset = Math.floor(Math.random() * ASSETS);
    const t = nextTime(asset);
    const values = Object.fromEntries(
      SIGNALS.map((name, signal) => [name, signalValue(signal, t / 1000)]),
    );
    return JSON.stringify({ asset: `pump-0${asset + 1}`, t, values });
  }
  const each = Math.ceil(rows / ASSETS);
  return JSON.stringify(
    Array.from({ length: ASSETS }, (_, asset) => {
      const t = Array.from({ length: each }, () => nextTime(asset));
      const values = SIGNALS.map((_name, signal) =>
        t.map((time) => signalValue(signal, time / 1000)),
      );
      return { asset: `pump-0${asset + 1}`, signals: SIGNALS, t, values };
    }),
  );
}

function nextTime(asset: number): number {
  clocks[asset]! += 1_000;
  return clocks[asset]!;
}

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
      this.#socket.write(text);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#text += chunk;
    const headEnd = this.#text.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? 0);
    if (this.#text.length < headEnd + 4 + length) return;
    const answer = this.#text;
    this.#text = '';
    this.#waiting?.(answer);
  }
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const startedAt = performance.now();
  const endAt = options.seconds > 0 ? startedAt + options.seconds * 1000 : Number.POSITIVE_INFINITY;
  const most = options.readings > 0 ? options.readings : Number.POSITIVE_INFINITY;
  const result = { readings: 0, posts: 0, bodyBytes: 0, throttled: 0 };
  const latencies: number[] = [];
  let claimed = 0;
  const head = `POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${options.token}\r\nContent-Type: application/json\r\n`;
  const rowsEach = options.rows === 1 ? 1 : Math.ceil(options.rows / ASSETS) * ASSETS;

  const worker = async (): Promise<void> => {
    const connection = new Connection(options.port);
    while (performance.now() < endAt && claimed < most) {
      claimed += rowsEach;
      if (options.rate > 0) {
        const aheadMs = startedAt + (claimed / options.rate) * 1000 - performance.now();
        if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
      }
      const body = bodyOf(options.rows);
      for (;;) {
        const sentAt = performance.now();
        const answer = await connection.request(
          `${head}Content-Length: ${body.length}\r\n\r\n${body}`,
        );
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
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0;
  return {
    ...result,
    seconds: (performance.now() - startedAt) / 1000,
    latencyMs: { p50: at(0.5), p99: at(0.99) },
  };
}

if (import.meta.main) {
  console.log(JSON.stringify(await load(JSON.parse(process.argv[2] ?? '{}'))));
}
