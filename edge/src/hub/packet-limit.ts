import type { Duplex } from 'node:stream';

/** Body limit plus the longest topic that MQTT has, plus the fixed header. */
const PACKET_BYTES_MAX = 262_144 + 65_535 + 16;

/**
 * Ends a connection that announces a packet larger than edge hub takes, before the packet is collected in
 * memory. Follows the fixed headers [MQTT-2.2] through the chunks as they are read.
 */
export function limitPackets(connection: Duplex, onTooLarge: (bytes: number) => void): void {
  const limit = new HeaderReader();
  const read = connection.read.bind(connection);
  connection.read = (size?: number) => {
    const chunk: unknown = size === undefined ? read() : read(size);
    if (Buffer.isBuffer(chunk)) {
      const announced = limit.next(chunk);
      if (announced > PACKET_BYTES_MAX) {
        onTooLarge(announced);
        connection.destroy(new Error('packet too large'));
        return null;
      }
    }
    return chunk;
  };
}

/** States: in a body (`#skip` bytes to go) or in a fixed header (type byte, then 1 to 4 length bytes). */
class HeaderReader {
  #skip = 0;
  #inLength = false;
  #length = 0;
  #shift = 0;

  /** The largest packet length announced in this chunk. */
  next(chunk: Buffer): number {
    let largest = 0;
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      this.#header(chunk[at]!);
      at++;
      largest = Math.max(largest, this.#skip);
    }
    return largest;
  }

  #header(byte: number): void {
    if (!this.#inLength) {
      this.#inLength = true;
      this.#length = 0;
      this.#shift = 0;
      return;
    }
    this.#length += (byte & 0x7f) * 2 ** this.#shift;
    this.#shift += 7;
    if ((byte & 0x80) !== 0 && this.#shift < 28) return;
    this.#inLength = false;
    this.#skip = this.#length;
  }
}
