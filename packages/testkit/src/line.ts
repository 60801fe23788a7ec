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

  /**
   * Sends the first packet of some bytes. The next one may follow once this has left, so connections take turns.
   * @param bytes how many wait to be sent on this connection
   */
  send(connection: LineConnection, bytes: number, nowMs: number): SentPacket {
    const { latencyMs, bytesPerSecond = Number.POSITIVE_INFINITY } = this.#shape;
    const packetBytes = Math.min(bytes, PACKET_BYTES);
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (packetBytes / bytesPerSecond) * 1000;
    const inOrderMs = connection.arrivedMs + (packetBytes / this.#bytesPerSecondAtLoss) * 1000;
    const arrivedMs = Math.max(this.#freeAtMs + latencyMs, inOrderMs) + this.#lostMs(bytes);
    connection.arrivedMs = arrivedMs;
    return { packetBytes, leftMs: this.#freeAtMs, arrivedMs };
  }

  /** How long a packet is late by its losses, in ms. */
  #lostMs(bytes: number): number {
    const roundTripMs = 2 * this.#shape.latencyMs;
    const othersFollow = bytes > 3 * PACKET_BYTES;
    let lostMs = 0;
    let waitMs = othersFollow ? roundTripMs : Math.max(RTO_MS_MIN, 1.5 * roundTripMs);
    for (; this.#loses(); waitMs *= 2) lostMs += waitMs;
    return lostMs;
  }

  get #bytesPerSecondAtLoss(): number {
    const { latencyMs, loss } = this.#shape;
    const roundTripSecs = (2 * latencyMs) / 1000;
    return loss === 0
      ? Number.POSITIVE_INFINITY
      : (PACKET_BYTES / roundTripSecs) * (1.22 / Math.sqrt(loss));
  }

  #loses(): boolean {
    return this.#shape.loss > 0 && this.#shape.random() < this.#shape.loss;
  }
}

interface SentPacket {
  packetBytes: number;
  /** When the line is free for the next one. */
  leftMs: number;
  /** When it is at the other end. */
  arrivedMs: number;
}

export interface LineConnection {
  /** When the last byte so far has arrived. */
  arrivedMs: number;
}
