/**
 * Load on ingest from a process of its own: `node load.ts <json>`; prints one JSON line with what was acknowledged.
 * Raw sockets with kept-alive connections, one request at a time on each, so that the generator costs little.
 */
import { connect, type Socket } from 'node:net';
import { assetNames, PERIOD_MS, SIGNALS, simulate } from '@holdfast/pump-loop';

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

const ASSETS = 8;
/** Rows of each asset that are simulated in advance; they are fed over and over, at times that go on. */
const SIMULATED = 3_600;
const START_MS = Date.now() - 30 * 86_400_000;

/** What healthy pump loops measure, `[asset][signal][row]`: a load in which every row is an alarm would be another load. */
const measured = assetNames(ASSETS).map(() => SIGNALS.map((): (number | null)[] => []));
for (const { asset, values } of simulate({
  seed: 1,
  assets: ASSETS,
  startMs: START_MS,
  seconds: SIMULATED,
})) {
  const columns = measured[assetNames(ASSETS).indexOf(asset)];
  for (const [signal, name] of SIGNALS.entries()) columns?.[signal]?.push(values[name]);
}
const names = assetNames(ASSETS);

/** Rows that each asset has fed so far. */
const fed = names.map(() => 0);

function bodyOf(rows: number): string {
  if (rows === 1) {
    const asset = Math.floor(Math.random() * ASSETS);
    const { t, values } = nextRows(asset, 1);
    return JSON.stringify({
      asset: names[asset],
      t: t[0],
      values: Object.fromEntries(SIGNALS.map((name, signal) => [name, values[signal]?.[0]])),
    });
  }
  const each = Math.ceil(rows / ASSETS);
  return JSON.stringify(
    names.map((asset, index) => ({ asset, signals: SIGNALS, ...nextRows(index, each) })),
  );
}

function nextRows(asset: number, count: number): { t: number[]; values: (number | null)[][] } {
  const from = fed[asset] ?? 0;
  fed[asset] = from + count;
  const rows = Array.from({ length: count }, (_, index) => from + index);
  return {
    t: rows.map((row) => START_MS + row * PERIOD_MS),
    values: (measured[asset] ?? []).map((column) =>
      rows.map((row) => column[row % SIMULATED] ?? null),
    ),
  };
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
