import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** As much as a line of 10 Mbit/s with 100 ms holds. */
const IN_FLIGHT_MAX = 128 * 1024;
const PIECE_BYTES = 32 * 1024;

export interface ShortLine {
  port: number;
  /** Bytes that were given to the client, whether they arrived or not. */
  bytesToClient: number;
  /** The client has so many bytes, of all connections together. */
  arrived(bytes: number): void;
  /** Resets all connections; what is on the line is lost. */
  cut(): void;
  close(): Promise<void>;
}

/**
 * A proxy in front of one port that holds no more bytes than a line does. The buffers of this machine hold megabytes,
 * and a reset would empty them, which happens on no line. So it is told what has arrived, and sends a little more.
 */
export async function openShortLine(port: number): Promise<ShortLine> {
  const pairs = new Set<{ client: Socket; send(): void }>();
  let arrived = 0;
  const line: ShortLine = {
    port: 0,
    bytesToClient: 0,
    arrived: (bytes) => {
      arrived = bytes;
      for (const pair of pairs) pair.send();
    },
    cut: () => {
      for (const { client } of pairs) client.resetAndDestroy();
    },
    close: () => Promise.resolve(),
  };
  const server = createServer((client) => {
    const upstream = connect({ port, host: '127.0.0.1' });
    const begin = arrived;
    let sent = 0;
    let waiting: Buffer = Buffer.alloc(0);
    const send = (): void => {
      while (waiting.length > 0 && sent - (arrived - begin) < IN_FLIGHT_MAX) {
        const piece = waiting.subarray(0, PIECE_BYTES);
        waiting = waiting.subarray(piece.length);
        sent += piece.length;
        line.bytesToClient += piece.length;
        client.write(piece);
      }
      if (waiting.length === 0) upstream.resume();
    };
    const pair = { client, send };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      upstream.pause();
      waiting = bytes;
      send();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  line.port = (server.address() as AddressInfo).port;
  line.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      line.cut();
    });
  return line;
}
