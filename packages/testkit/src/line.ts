/** What a line is like, each way; may change while it is in use. */
export interface LineShape {
  /** One way, in ms. */
  latencyMs: number;
  /** Shared by all connections; undefined: no limit. */
  bytesPerSecond: number | undefined;
  /** Share of packets that get lost, 0 to 1. */
  loss: number;
  /** Uniform in [0, 1): decides which packets get lost. */
  random: () => number;
}

/** Payload of one packet. */
const PACKET_BYTES = 1_400;
/** Least retransmission timeout of Linux, and the first one of a connection that is being made (RFC 6298). */
const RTO_MS_MIN = 200;
const RTO_MS_FIRST = 1_000;

/**
 * One direction of a line, as TCP makes it look to those who use it: bytes arrive late, in order, and all of them. A
 * model, because a proxy sees no packets: a lost packet holds back everything behind it for a round trip when others
 * follow it (fast retransmission), else for the retransmission timeout, which doubles with each further loss; and loss
 * bounds the rate of a connection by the formula of Mathis et al. 1997, MSS / RTT * 1.22 / sqrt(loss).
 */
export class Line {
  readonly #shape: LineShape;
  #freeAtMs = 0;

  constructor(shape: LineShape) {
    this.#shape = shape;
  }

  /** Whether bytes pass at once. */
  get ideal(): boolean {
    const { latencyMs, bytesPerSecond, loss } = this.#shape;
    return latencyMs === 0 && bytesPerSecond === undefined && loss === 0;
  }

  /** A new connection: its first bytes arrive a round trip late, by the handshake, which may lose packets too. */
  connection(nowMs: number): LineConnection {
    const { latencyMs } = this.#shape;
    let lostMs = 0;
    for (let rto = RTO_MS_FIRST; this.#loses(); rto *= 2) lostMs += rto;
    return { arrivedMs: nowMs + 3 * latencyMs + lostMs };
  }

  /** Cuts a chunk into packets and says when each has arrived at the other end. */
  send(
    connection: LineConnection,
    chunk: Buffer,
    nowMs: number,
  ): { packet: Buffer; atMs: number }[] {
    const { latencyMs, bytesPerSecond = Number.POSITIVE_INFINITY, loss } = this.#shape;
    const roundTripMs = 2 * latencyMs;
    const mathis =
      loss === 0
        ? Number.POSITIVE_INFINITY
        : (PACKET_BYTES / roundTripMs) * 1000 * (1.22 / Math.sqrt(loss));
    const packets: { packet: Buffer; atMs: number }[] = [];
    for (let at = 0; at < chunk.length; at += PACKET_BYTES) {
      const packet = chunk.subarray(at, at + PACKET_BYTES);
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (packet.length / bytesPerSecond) * 1000;
      let atMs = Math.max(
        this.#freeAtMs + latencyMs,
        connection.arrivedMs + (packet.length / mathis) * 1000,
      );
      const othersFollow = at + 3 * PACKET_BYTES < chunk.length;
      let waitMs = othersFollow ? roundTripMs : Math.max(RTO_MS_MIN, 1.5 * roundTripMs);
      for (; this.#loses(); waitMs *= 2) atMs += waitMs;
      connection.arrivedMs = atMs;
      packets.push({ packet, atMs });
    }
    return packets;
  }

  #loses(): boolean {
    return this.#shape.loss > 0 && this.#shape.random() < this.#shape.loss;
  }
}

export interface LineConnection {
  /** When the last byte so far has arrived. */
  arrivedMs: number;
}
