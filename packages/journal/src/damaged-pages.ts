import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { PAGE_BYTES } from './database.ts';
import { FRAME_HEADER_BYTES, frameOffset, type Wal } from './wal.ts';

const PAGES_AT_ONCE = 256;
/** Pages of one chunk mostly follow each other: 64 kB are read for the first of them, and eight such pieces are kept. */
const PIECE_PAGES = 16;
const PIECES_MAX = 8;

/** One image of a page: in the file, or in a frame of a log. */
export interface PageImage {
  bytes: Buffer;
  /**
   * Ways to find the pages that it refers to, most likely first: images from the log before this frame, else from
   * the file. 0 is the file alone.
   */
  views: number[];
}

/**
 * All images of all pages of a database and its log, whatever state they are in; nothing in them is believed. Reads
 * in order and keeps one block, so memory does not depend on the size.
 */
export class DamagedPages {
  readonly #file: number | undefined;
  readonly #pages: number;
  readonly #wal: Wal | undefined;
  readonly #walFile: number | undefined;
  /** Frames of each page, ascending. */
  readonly #framesOf = new Map<number, number[]>();
  /** Pieces of the file by number, read longest ago first. */
  readonly #pieces = new Map<number, Buffer>();

  constructor(path: string, wal: Wal | undefined) {
    this.#file = openOrNot(path);
    const size = this.#file === undefined ? 0 : fstatSync(this.#file).size;
    this.#pages = Math.ceil(size / PAGE_BYTES);
    this.#wal = wal;
    this.#walFile = wal === undefined ? undefined : openOrNot(wal.path);
    wal?.frames.forEach(({ page }, index) => {
      const frames = this.#framesOf.get(page);
      if (frames === undefined) this.#framesOf.set(page, [index]);
      else frames.push(index);
    });
  }

  /** Those that were committed for sure come first, so that nothing uncertain can stand in their place. */
  *images(): Generator<PageImage> {
    const valid = this.#wal?.valid ?? 0;
    const count = this.#wal?.frames.length ?? 0;
    yield* this.#ofLog(0, valid);
    for (const bytes of blocks(this.#file, this.#pages, 0, PAGE_BYTES)) {
      yield { bytes, views: different([valid, 0, count]) };
    }
    yield* this.#ofLog(valid, count);
  }

  /** A page as `view` has it, valid until the next call; undefined when there is none. */
  page(number: number, view: number): Buffer | undefined {
    const frame = this.#framesOf.get(number)?.findLast((index) => index < view);
    if (frame !== undefined && this.#walFile !== undefined) {
      const bytes = Buffer.alloc(PAGE_BYTES);
      readSync(this.#walFile, bytes, 0, PAGE_BYTES, frameOffset(frame) + FRAME_HEADER_BYTES);
      return bytes;
    }
    if (this.#file === undefined || number < 1 || number > this.#pages) return undefined;
    const place = (number - 1) % PIECE_PAGES;
    const piece = this.#piece(this.#file, (number - 1 - place) / PIECE_PAGES);
    return piece.subarray(place * PAGE_BYTES, (place + 1) * PAGE_BYTES);
  }

  #piece(file: number, number: number): Buffer {
    let piece = this.#pieces.get(number);
    if (piece !== undefined) return piece;
    const [oldest] = this.#pieces.keys();
    if (this.#pieces.size < PIECES_MAX || oldest === undefined) {
      piece = Buffer.alloc(PIECE_PAGES * PAGE_BYTES);
    } else {
      piece = this.#pieces.get(oldest)!;
      this.#pieces.delete(oldest);
    }
    const read = readSync(file, piece, 0, piece.length, number * piece.length);
    piece.fill(0, read);
    this.#pieces.set(number, piece);
    return piece;
  }

  close(): void {
    for (const file of [this.#file, this.#walFile]) if (file !== undefined) closeSync(file);
  }

  *#ofLog(from: number, to: number): Generator<PageImage> {
    const wal = this.#wal;
    if (wal === undefined) return;
    let index = from;
    const stride = PAGE_BYTES + FRAME_HEADER_BYTES;
    for (const frame of blocks(this.#walFile, to - from, frameOffset(from), stride)) {
      const { end } = wal.frames[index]!;
      yield {
        bytes: frame.subarray(FRAME_HEADER_BYTES),
        views: different([end, wal.frames.length, wal.valid, 0]),
      };
      index += 1;
    }
  }
}

function openOrNot(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

const different = (views: readonly number[]): number[] => [...new Set(views)];

/** `count` pieces of `stride` bytes; each is valid until the next block is read. A last piece may be short: then zeros follow. */
function* blocks(
  file: number | undefined,
  count: number,
  start: number,
  stride: number,
): Generator<Buffer> {
  if (file === undefined) return;
  const block = Buffer.alloc(PAGES_AT_ONCE * stride);
  for (let at = 0; at < count; at += PAGES_AT_ONCE) {
    const pieces = Math.min(PAGES_AT_ONCE, count - at);
    const read = readSync(file, block, 0, pieces * stride, start + at * stride);
    block.fill(0, read, pieces * stride);
    for (let piece = 0; piece < pieces; piece += 1) {
      yield block.subarray(piece * stride, (piece + 1) * stride);
    }
  }
}
