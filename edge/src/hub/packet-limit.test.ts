import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { limitPackets } from './packet-limit.ts';

/** A PUBLISH fixed header that announces so many bytes. */
function header(length: number): Buffer {
  const bytes = [0x32];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest > 127 ? (rest % 128) | 0x80 : rest);
    if (rest <= 127) break;
  }
  return Buffer.from(bytes);
}
const packet = (length: number): Buffer =>
  Buffer.concat([header(length), Buffer.alloc(length, 0xff)]);

function readAll(bytes: Buffer, chunkSize: number): { announced: number[]; ended: boolean } {
  const stream = new PassThrough();
  stream.on('error', () => undefined);
  const announced: number[] = [];
  limitPackets(stream, (size) => announced.push(size));
  for (let at = 0; at < bytes.length && !stream.destroyed; at += chunkSize) {
    stream.write(bytes.subarray(at, at + chunkSize));
    stream.read();
  }
  return { announced, ended: stream.destroyed };
}

describe('packet limit', () => {
  const small = Buffer.concat([packet(0), packet(1), packet(127), packet(128), packet(300_000)]);

  it.each([1, 7, 4_096, 1_000_000])('lets packets pass in chunks of %d bytes', (chunkSize) => {
    expect(readAll(small, chunkSize)).toEqual({ announced: [], ended: false });
  });

  it.each([1, 7, 4_096])(
    'ends the connection at the header of a large one, chunks of %d',
    (chunkSize) => {
      const bytes = Buffer.concat([small, header(100_000_000)]);
      expect(readAll(bytes, chunkSize)).toEqual({ announced: [100_000_000], ended: true });
    },
  );
});
