import type { FileHandle } from 'node:fs/promises';

/** So much is read at a time; weights between two pieces are skipped, not read. */
const PIECE_BYTES = 16 * 1024;

/** The longest varint, 64 bits in groups of seven. */
const VARINT_BYTES_MAX = 10;

/** The bytes are no protobuf message. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Reads a file from front to back through a small window. What is behind the window has to be fetched by `fill`. */
export class WireReader {
  /** Of the next byte, from the start of the file. */
  position = 0;
  readonly size: number;
  readonly #file: FileHandle;
  readonly #window = Buffer.allocUnsafe(PIECE_BYTES);
  #from = 0;
  #to = 0;

  private constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  static async open(file: FileHandle): Promise<WireReader> {
    const { size } = await file.stat();
    return new WireReader(file, size);
  }

  /** Whether `count` bytes, or all that are left, can be read without waiting. At most a piece can ever be. */
  has(count: number): boolean {
    const wanted = Math.min(this.position + count, this.size);
    return this.position >= this.#from && wanted <= this.#to;
  }

  /** Moves the window to the position. */
  async fill(): Promise<void> {
    const wanted = Math.min(PIECE_BYTES, this.size - this.position);
    this.#from = this.position;
    this.#to = this.position;
    while (this.#to < this.#from + wanted) {
      const offset = this.#to - this.#from;
      const { bytesRead } = await this.#file.read(this.#window, offset, wanted - offset, this.#to);
      if (bytesRead === 0) throw new WireError(`the file became shorter than ${this.size} bytes`);
      this.#to += bytesRead;
    }
  }

  /**
   * The next varint, which must end before `end`. Inexact above 2^53, and above 2^63 where it is negative or overlong:
   * nothing in an acceptable model is as large.
   */
  varint(end: number): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count += 1) {
      if (this.position >= end) throw new WireError(`ends in the middle of a field`);
      const byte = this.#window[this.position - this.#from] as number;
      this.position += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new WireError('has a number of more than 64 bits');
  }

  /** The next bytes as UTF-8; they must be in the window. */
  text(length: number): string {
    const start = this.position - this.#from;
    this.position += length;
    return this.#window.toString('utf8', start, start + length);
  }
}
