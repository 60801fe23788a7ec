import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createInflate, createInflateRaw, type Gunzip } from 'node:zlib';
import { collectBody } from '@holdfast/module-host';
import type { FastifyRequest } from 'fastify';
import { ApiError, later, wrong } from './api-error.ts';

export interface BodyLimits {
  /** Of one body, before and after inflating. */
  bytesMax: number;
  /** What the limit is for, in the message. */
  what: string;
}

/** Bytes of bodies that all requests together hold; beyond the limit they are told to come again. */
export class HeldBytes {
  #bytes = 0;
  bytesMax: number;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False, and nothing taken, when there is no room. Who holds all that is held (`own`) is always welcome. */
  take(bytes: number, own: number): boolean {
    if (this.#bytes > own && this.#bytes + bytes > this.bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** A chunk takes two milliseconds at most to copy. */
const COPY_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 1_000;

/** A body in memory, counted until it is let go. */
export class RequestBody {
  #chunks: Buffer[] = [];
  #held = 0;
  readonly #room: HeldBytes;

  constructor(room: HeldBytes) {
    this.#room = room;
  }

  get byteLength(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  /** Reads and inflates the body of a request. @throws ApiError 400, 408, 413, 415, 429; BodyAborted */
  async read(request: FastifyRequest, limits: BodyLimits): Promise<void> {
    const decoder = decoderOf(request.headers['content-encoding']);
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limits.bytesMax) throw tooLarge(`${announced} bytes`, limits);
    const chunks = await collectBody(request.raw, {
      bytesMax: limits.bytesMax,
      onBytes: (bytes) => this.#take(bytes),
    });
    if (chunks === 'late') throw new ApiError(408, 'body: did not come to its end in time');
    if (chunks === 'refused') throw busy();
    if (chunks === 'too-large') throw tooLarge(`more than ${limits.bytesMax} bytes`, limits);
    this.#chunks = chunks;
    if (decoder === undefined) return;
    this.#chunks = await this.#inflate(decoder(chunks[0]), chunks, limits);
    this.#room.give(chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0));
    this.#held -= chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  /** Bytes from `from` to `to` in a buffer of their own, at an address that suits every tensor. */
  async bytes(from: number, to: number): Promise<Buffer<ArrayBuffer>> {
    const whole = Buffer.from(new ArrayBuffer(Math.max(0, to - from)));
    let at = -from;
    let copied = 0;
    for (const chunk of this.#chunks) {
      if (at + chunk.byteLength > 0 && at < whole.byteLength) {
        copied += chunk.copy(whole, Math.max(0, at), Math.max(0, -at));
      }
      at += chunk.byteLength;
      if (copied < COPY_BYTES) continue;
      copied = 0;
      await new Promise(setImmediate);
    }
    return whole;
  }

  letGo(): void {
    this.#chunks = [];
    this.#room.give(this.#held);
    this.#held = 0;
  }

  #take(bytes: number): boolean {
    if (!this.#room.take(bytes, this.#held)) return false;
    this.#held += bytes;
    return true;
  }

  /** Inflated off the event loop, and never beyond the limit. */
  async #inflate(
    decoder: Gunzip,
    chunks: readonly Buffer[],
    limits: BodyLimits,
  ): Promise<Buffer[]> {
    const inflated: Buffer[] = [];
    let bytes = 0;
    try {
      await pipeline(Readable.from(chunks), decoder, async (source: AsyncIterable<Buffer>) => {
        for await (const chunk of source) {
          bytes += chunk.byteLength;
          if (bytes > limits.bytesMax)
            throw tooLarge(`more than ${limits.bytesMax} bytes inflated`, limits);
          if (!this.#take(chunk.byteLength)) throw busy();
          inflated.push(chunk);
        }
      });
    } catch (error) {
      if (error instanceof Error && 'status' in error) throw error;
      throw wrong(`body: is not what content-encoding says: ${(error as Error).message}`);
    }
    return inflated;
  }
}

const tooLarge = (found: string, { bytesMax, what }: BodyLimits): ApiError =>
  new ApiError(413, `body: ${found} is too large, must be at most ${bytesMax} bytes ${what}`);

const busy = (): ApiError =>
  later(429, 'too much is being received already, send it again', RETRY_MS);

/** @throws ApiError 415 */
function decoderOf(
  encoding: string | undefined,
): ((first: Buffer | undefined) => Gunzip) | undefined {
  switch ((encoding ?? 'identity').trim().toLowerCase()) {
    case 'identity':
    case '':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return () => createGunzip();
    case 'deflate':
      // RFC 9110 means the zlib format; some send the bare one.
      return (first) => (isZlib(first) ? createInflate() : createInflateRaw());
    default: {
      const allowed = 'must be gzip, deflate or identity';
      throw new ApiError(415, `content-encoding: "${encoding}" is not allowed, ${allowed}`, {
        'accept-encoding': 'gzip, deflate',
      });
    }
  }
}

/** RFC 1950, 2.2: method 8, and the first two bytes are a multiple of 31. */
const isZlib = (first: Buffer | undefined): boolean =>
  first !== undefined &&
  first.length > 1 &&
  (first[0]! & 0x0f) === 8 &&
  first.readUInt16BE(0) % 31 === 0;
