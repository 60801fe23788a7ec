/** Thread that puts load on an HTTP server on loopback: some connections, each with one request at a time. */
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export interface Load {
  /** @default POST */
  method?: string;
  port: number;
  path: string;
  headers: Record<string, string>;
  body: Uint8Array;
  connections: number;
  ms: number;
}

export interface LoadResult {
  requests: number;
  ms: number;
  /** Sorted, in ms. */
  latencies: number[];
}

const { method = 'POST', port, path, headers, body, connections, ms } = workerData as Load;
const head = Object.entries({ host: 'x', 'content-length': String(body.length), ...headers })
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
const request = Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n`), body]);
const latencies: number[] = [];
const startMs = performance.now();

const one = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.setNoDelay(true);
    let received: Buffer[] = [];
    let sentMs = 0;
    const send = (): void => {
      if (performance.now() - startMs > ms) {
        socket.destroy();
        resolve();
        return;
      }
      received = [];
      sentMs = performance.now();
      socket.write(request);
    };
    socket.once('connect', send);
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      received.push(chunk);
      const all = received.length === 1 ? chunk : Buffer.concat(received);
      const end = all.indexOf('\r\n\r\n');
      if (end < 0) return;
      const text = all.toString('latin1', 0, end).toLowerCase();
      if (!text.startsWith('http/1.1 200')) {
        reject(new Error(all.toString()));
        return;
      }
      const length = Number(/content-length: (\d+)/.exec(text)?.[1]);
      if (all.length < end + 4 + length) return;
      latencies.push(performance.now() - sentMs);
      send();
    });
  });

await Promise.all(Array.from({ length: connections }, one));
const result: LoadResult = {
  requests: latencies.length,
  ms: performance.now() - startMs,
  latencies: latencies.sort((a, b) => a - b),
};
parentPort!.postMessage(result);
