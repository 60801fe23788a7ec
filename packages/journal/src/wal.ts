import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { PAGE_BYTES } from './database.ts';

/** SQLite file format, "The Write-Ahead Log": header of 32 bytes, then frames of 24 bytes and a page. */
const HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
export const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
const MAGIC = 0x377f0682;
/** 4 MB. */
const FRAMES_AT_ONCE = 1_024;

export interface WalFrame {
  page: number;
  /** Frame after the last one of its transaction, as far as that can be told. */
  end: number;
}

export interface Wal {
  path: string;
  frames: WalFrame[];
  /** Frames that SQLite takes: an unbroken chain from the first up to the end of a transaction. */
  valid: number;
  /** There is something behind the valid frames, as after a power cut in the middle of a write. */
  torn: boolean;
  /**
   * Frames that were acknowledged are broken: behind them stand whole ones of a later transaction, which was only
   * begun when the one before was on the disk.
   */
  broken: boolean;
}

export const frameOffset = (index: number): number => HEADER_BYTES + index * FRAME_BYTES;

/**
 * Looks at every frame of a write-ahead log. SQLite stops at the first broken frame and says nothing about those
 * behind it. Each frame's checksum continues the one before it, so a frame behind a broken one still proves itself
 * against the checksum that the broken one carries. Undefined when there is no log.
 */
export function walkWal(path: string): Wal | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const size = fstatSync(file).size;
    if (size === 0) return undefined;
    return walk(path, file, size);
  } finally {
    closeSync(file);
  }
}

function walk(path: string, file: number, size: number): Wal {
  const header = Buffer.alloc(HEADER_BYTES);
  readSync(file, header, 0, HEADER_BYTES, 0);
  const count = Math.max(0, Math.floor((size - HEADER_BYTES) / FRAME_BYTES));
  const swap = header.readUInt32BE(0) === (endianness() === 'LE' ? MAGIC + 1 : MAGIC);
  const sum = new Checksum(swap);
  sum.add(header.subarray(0, 24));
  const good =
    (header.readUInt32BE(0) & ~1) === MAGIC &&
    header.readUInt32BE(8) === PAGE_BYTES &&
    sum.equals(header, 24);
  const state = new Walk(path, good);
  if (good) state.salt = header.readBigUInt64BE(16);
  const block = Buffer.alloc(Math.min(count, FRAMES_AT_ONCE) * FRAME_BYTES);
  for (let start = 0; start < count; start += FRAMES_AT_ONCE) {
    const frames = Math.min(FRAMES_AT_ONCE, count - start);
    readSync(file, block, 0, frames * FRAME_BYTES, frameOffset(start));
    for (let index = 0; index < frames; index += 1) {
      state.take(block.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES), sum);
    }
  }
  return state.end(size > frameOffset(count));
}

/** The states of a walk: **chained** until the first frame that does not continue the checksum; then **behind**. */
class Walk {
  salt: bigint | undefined;
  readonly #wal: Wal;
  #chained: boolean;
  /** A transaction has ended at or behind the break. */
  #ended = false;
  #open = 0;

  constructor(path: string, good: boolean) {
    this.#wal = { path, frames: [], valid: 0, torn: false, broken: false };
    this.#chained = good;
  }

  take(frame: Buffer, sum: Checksum): void {
    const wal = this.#wal;
    const index = wal.frames.push({ page: frame.readUInt32BE(0), end: 0 }) - 1;
    const ours = this.salt === undefined || frame.readBigUInt64BE(8) === this.salt;
    sum.add(frame.subarray(0, 8));
    sum.add(frame.subarray(FRAME_HEADER_BYTES));
    const whole = ours && sum.equals(frame, 16) && frame.readUInt32BE(0) > 0;
    sum.set(frame, 16);
    const commits = frame.readUInt32BE(4) > 0;
    if (this.#chained && whole) {
      if (commits) wal.valid = index + 1;
    } else if (ours) {
      this.#chained = false;
      wal.torn = true;
      if (whole && this.#ended) wal.broken = true;
      // A log whose header is broken has lost all of it.
      if (whole && this.salt === undefined) wal.broken = true;
      if (commits) this.#ended = true;
    } else this.#chained = false;
    if (commits) {
      for (let at = this.#open; at <= index; at += 1) wal.frames[at]!.end = index + 1;
      this.#open = index + 1;
    }
  }

  end(partial: boolean): Wal {
    const { frames } = this.#wal;
    for (let at = this.#open; at < frames.length; at += 1) frames[at]!.end = frames.length;
    if (partial || (this.salt === undefined && frames.length > 0)) this.#wal.torn = true;
    return this.#wal;
  }
}

/** The checksum of the log: two running sums over words of 32 bits, in the byte order that its magic number names. */
class Checksum {
  readonly #swap: boolean;
  #first = 0;
  #second = 0;

  constructor(swap: boolean) {
    this.#swap = swap;
  }

  add(bytes: Buffer): void {
    let first = this.#first;
    let second = this.#second;
    const words =
      bytes.byteOffset % 4 === 0 && !this.#swap
        ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
        : wordsOf(bytes, this.#swap);
    for (let at = 0; at < words.length; at += 2) {
      first = (first + words[at]! + second) | 0;
      second = (second + words[at + 1]! + first) | 0;
    }
    this.#first = first;
    this.#second = second;
  }

  equals(bytes: Buffer, at: number): boolean {
    return bytes.readInt32BE(at) === this.#first && bytes.readInt32BE(at + 4) === this.#second;
  }

  set(bytes: Buffer, at: number): void {
    this.#first = bytes.readInt32BE(at);
    this.#second = bytes.readInt32BE(at + 4);
  }
}

function wordsOf(bytes: Buffer, swap: boolean): Int32Array {
  const copy = new Uint8Array(bytes);
  const words = new Int32Array(copy.buffer);
  if (swap) Buffer.from(copy.buffer).swap32();
  return words;
}
