import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';

/**
 * - `up`: forwards.
 * - `down`: nobody listens any more and open connections are reset, as when the other machine is off.
 * - `silent`: connections stay or are accepted, and nothing comes through in either direction, as when a router on
 *   the way dies. What was sent meanwhile arrives when the gate is up again.
 */
export type GateMode = 'up' | 'down' | 'silent';

export interface GateTarget {
  port: number;
  host?: string;
}

export interface GateOptions {
  /** Port to listen on; 0 takes a free one. The gate keeps it over `down` and `up`. */
  port?: number;
  host?: string;
  /** Added to each chunk, each way, in ms. */
  latencyMs?: number;
  /** Limit each way and connection; absent: none. */
  bytesPerSecond?: number;
}

interface Pair {
  client: Socket;
  upstream: Socket;
  lanes: Lane[];
}

/** A TCP proxy in front of one port, whose link can be cut, muted and slowed while it runs. */
export class TcpGate {
  readonly bytes = { toTarget: 0, toClient: 0 };
  /** Connections accepted since the start. */
  connections = 0;
  latencyMs: number;
  bytesPerSecond: number | undefined;
  #mode: GateMode = 'up';
  #server: Server | undefined;
  #port: number;
  readonly #host: string;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();

  private constructor(target: GateTarget, options: GateOptions) {
    this.#target = { host: target.host ?? '127.0.0.1', port: target.port };
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.latencyMs = options.latencyMs ?? 0;
    this.bytesPerSecond = options.bytesPerSecond;
  }

  /** Opens a gate in front of a port that need not be listening yet. */
  static async open(target: GateTarget, options: GateOptions = {}): Promise<TcpGate> {
    const gate = new TcpGate(target, options);
    await gate.#listen();
    return gate;
  }

  get port(): number {
    return this.#port;
  }
  get mode(): GateMode {
    return this.#mode;
  }

  /** Changes the link; resolves once it is so. */
  async set(mode: GateMode): Promise<void> {
    this.#mode = mode;
    if (mode === 'down') {
      this.cut();
      await this.#unlisten();
      return;
    }
    await this.#listen();
    for (const pair of this.#pairs) for (const lane of pair.lanes) lane.muted = mode === 'silent';
  }

  /** Resets all open connections; new ones go on as the mode says. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#unlisten();
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((client) => this.#accept(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  async #unlisten(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
  }

  #accept(client: Socket): void {
    this.connections++;
    const upstream = connect(this.#target);
    const toTarget = new Lane(this, (bytes) => {
      this.bytes.toTarget += bytes;
    });
    const toClient = new Lane(this, (bytes) => {
      this.bytes.toClient += bytes;
    });
    const pair = { client, upstream, lanes: [toTarget, toClient] };
    for (const lane of pair.lanes) lane.muted = this.#mode === 'silent';
    this.#pairs.add(pair);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    client.pipe(toTarget).pipe(upstream);
    upstream.pipe(toClient).pipe(client);
    const finish = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.on('error', finish);
      socket.on('close', finish);
    }
  }
}

/** One direction of one connection. */
class Lane extends Transform {
  readonly #gate: TcpGate;
  readonly #count: (bytes: number) => void;
  #muted = false;
  #held: (() => void)[] = [];

  constructor(gate: TcpGate, count: (bytes: number) => void) {
    super({ decodeStrings: true });
    this.#gate = gate;
    this.#count = count;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (muted) return;
    for (const release of this.#held.splice(0)) release();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const pass = (): void => {
      if (this.#muted) {
        this.#held.push(pass);
        return;
      }
      this.#count(chunk.length);
      done(null, chunk);
    };
    const rate = this.#gate.bytesPerSecond;
    const pauseMs = this.#gate.latencyMs + (rate === undefined ? 0 : (chunk.length / rate) * 1000);
    if (pauseMs > 0) setTimeout(pass, pauseMs);
    else pass();
  }
}
