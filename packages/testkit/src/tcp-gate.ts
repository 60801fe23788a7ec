import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { Line, type LineConnection, type LineShape } from './line.ts';

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
  /** Each way, in ms. */
  latencyMs?: number;
  /** Limit each way, shared by all connections; absent: none. */
  bytesPerSecond?: number;
  /** Share of packets that get lost, with the delays of TCP that follow from it (see `Line`). @default 0 */
  loss?: number;
  /** Decides which packets get lost. @default Math.random */
  random?: () => number;
}

interface Pair {
  client: Socket;
  upstream: Socket;
  lanes: Lane[];
}

/** A TCP proxy in front of one port, whose link can be cut, muted, slowed and made to lose packets while it runs. */
export class TcpGate implements LineShape {
  readonly bytes = { toTarget: 0, toClient: 0 };
  /** Connections accepted since the start. */
  connections = 0;
  latencyMs: number;
  bytesPerSecond: number | undefined;
  loss: number;
  readonly random: () => number;
  readonly #toTarget = new Line(this);
  readonly #toClient = new Line(this);
  #mode: GateMode = 'up';
  #server: Server | undefined;
  #port: number;
  readonly #host: string;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();
  readonly #stranded = new Set<Pair>();

  private constructor(target: GateTarget, options: GateOptions) {
    this.#target = { host: target.host ?? '127.0.0.1', port: target.port };
    this.#host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.latencyMs = options.latencyMs ?? 0;
    this.bytesPerSecond = options.bytesPerSecond;
    this.loss = options.loss ?? 0;
    this.random = options.random ?? Math.random;
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
    for (const { client, upstream, lanes } of this.#pairs) {
      // Nothing more of it may take up the line.
      for (const lane of lanes) lane.destroy();
      client.resetAndDestroy();
      upstream.destroy();
    }
    this.#pairs.clear();
  }

  /**
   * Makes all open connections silent for good, as when a router on the way has forgotten them: neither end is told.
   * New ones go on as the mode says.
   */
  strand(): void {
    for (const pair of this.#pairs) {
      for (const lane of pair.lanes) lane.strand();
      this.#stranded.add(pair);
    }
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    for (const { client, upstream } of this.#stranded) {
      client.destroy();
      upstream.destroy();
    }
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
    const toTarget = new Lane(this.#toTarget, (bytes) => {
      this.bytes.toTarget += bytes;
    });
    const toClient = new Lane(this.#toClient, (bytes) => {
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
      // The other end of a stranded connection hears nothing, not even that it is closed.
      if (this.#stranded.has(pair)) return;
      for (const lane of pair.lanes) lane.destroy();
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
  readonly #line: Line;
  readonly #connection: LineConnection;
  readonly #count: (bytes: number) => void;
  #muted = false;
  #stranded = false;
  #held: (() => void)[] = [];

  constructor(line: Line, count: (bytes: number) => void) {
    super({ decodeStrings: true });
    this.#line = line;
    this.#connection = line.connection(performance.now());
    this.#count = count;
  }

  set muted(muted: boolean) {
    this.#muted = muted;
    if (muted) return;
    for (const release of this.#held.splice(0)) release();
  }

  strand(): void {
    this.#stranded = true;
    this.#held = [];
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#line.ideal) {
      this.#pass(chunk, done);
      return;
    }
    const send = (at: number): void => {
      if (this.destroyed) return;
      const nowMs = performance.now();
      const sent = this.#line.send(this.#connection, chunk.length - at, nowMs);
      const end = at + sent.packetBytes;
      const last = end === chunk.length;
      setTimeout(
        () => this.#pass(chunk.subarray(at, end), last ? done : () => {}),
        Math.max(0, sent.arrivedMs - nowMs),
      );
      if (last) return;
      if (sent.leftMs > nowMs) setTimeout(() => send(end), sent.leftMs - nowMs);
      else send(end);
    };
    send(0);
  }

  /** The end of a direction travels like its bytes. */
  override _flush(done: TransformCallback): void {
    this.#pass(Buffer.alloc(0), done);
  }

  /** Not at all when stranded, later when muted, else now. */
  #pass(bytes: Buffer, after: () => void): void {
    if (this.#stranded || this.destroyed) return;
    if (this.#muted) {
      this.#held.push(() => this.#pass(bytes, after));
      return;
    }
    this.#count(bytes.length);
    if (bytes.length > 0) this.push(bytes);
    after();
  }
}
