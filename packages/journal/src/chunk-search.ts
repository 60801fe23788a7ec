import { type ChunkPlace, checksum, GAP_VERSION, HEADER_BYTES, VERSION } from './chunk.ts';
import type { DamagedPages, PageImage } from './damaged-pages.ts';
import { PAGE_BYTES } from './database.ts';

/** A chunk that its own checksum proves. */
export interface FoundChunk extends ChunkPlace {
  body: Buffer;
}

/** The names of a chunk begin so, right behind its header: a list of lists of lists of text. */
const NAMES_BEGIN = Buffer.from('[[["');
/** SQLite file format, "B-tree Pages": a cell of a table leaf keeps at most so many bytes of its payload on its page. */
const LOCAL_BYTES_MAX = PAGE_BYTES - 35;
const LOCAL_BYTES_MIN = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
const VERSIONS = new Set([VERSION, GAP_VERSION]);
const OVERFLOW_BYTES = PAGE_BYTES - 4;
/** Bytes of a whole number by its serial type; the same document, "Record Format". */
const WHOLE_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 9: 0 };
/** Far more than any chunk has. */
const CHUNK_BYTES_MAX = 16 * 1024 * 1024;
/** Checksums remembered, so that many images of one page cost little. */
const REMEMBERED = 50_000;

/**
 * Finds chunks in pages of a damaged journal by what is in them, with no help from the pages' own structure: the
 * record header in front of a chunk gives its end and length, the chunk itself its number of rows, overflow pages
 * are followed, and then the checksum over content, partition and range decides.
 */
export class ChunkSearch {
  readonly #pages: DamagedPages;
  readonly #partitions: number;
  readonly #seen = new Set<string>();

  constructor(pages: DamagedPages, partitions: number) {
    this.#pages = pages;
    this.#partitions = partitions;
  }

  *in(image: PageImage): Generator<FoundChunk> {
    const { bytes } = image;
    for (let at = bytes.indexOf(NAMES_BEGIN); at >= 0; at = bytes.indexOf(NAMES_BEGIN, at + 1)) {
      const start = at - HEADER_BYTES;
      if (start < 4 || !VERSIONS.has(bytes.readUInt32LE(start + 4))) continue;
      const found = this.#at(image, start);
      if (found !== undefined) yield found;
    }
  }

  /** The chunk whose header begins at `start`. */
  #at(image: PageImage, start: number): FoundChunk | undefined {
    const rows = image.bytes.readUInt32LE(start + 16);
    for (const record of recordsBefore(image.bytes, start)) {
      const place = { first: record.last - rows + 1, last: record.last };
      const key = `${place.last} ${record.length} ${image.bytes.readUInt32LE(start)}`;
      if (rows === 0 || place.first < 1 || this.#seen.has(key)) continue;
      const found = this.#proven(image, start, record, place);
      if (found === undefined) continue;
      if (this.#seen.size >= REMEMBERED) this.#seen.clear();
      this.#seen.add(key);
      return found;
    }
    return undefined;
  }

  #proven(
    image: PageImage,
    start: number,
    record: RecordHeader,
    place: { first: number; last: number },
  ): FoundChunk | undefined {
    for (const view of image.views) {
      const body = this.#body(image.bytes, start, record, view);
      if (body === undefined) continue;
      for (let partition = 0; partition < this.#partitions; partition += 1) {
        const at = { ...place, partition };
        if (body.readUInt32LE(0) === checksum(body, at)) return { ...at, body };
      }
      // All of it is on this page, so another view has the same.
      if (record.local >= record.length) return undefined;
    }
    return undefined;
  }

  #body(page: Buffer, start: number, record: RecordHeader, view: number): Buffer | undefined {
    const { length, local } = record;
    if (start + Math.min(local, length) > page.length) return undefined;
    const body = Buffer.alloc(length);
    let filled = page.copy(body, 0, start, start + Math.min(local, length));
    if (filled === length) return body;
    let next = page.readUInt32BE(start + local);
    while (filled < length) {
      const overflow = this.#pages.page(next, view);
      if (overflow === undefined) return undefined;
      filled += overflow.copy(body, filled, 4, 4 + Math.min(OVERFLOW_BYTES, length - filled));
      next = overflow.readUInt32BE(0);
    }
    return body;
  }
}

interface RecordHeader {
  /** Stored number of the last row. */
  last: number;
  /** Bytes of the chunk, and how many of them the page can hold. */
  length: number;
  local: number;
}

/**
 * Ways to read what stands in front of a chunk as the end of a record header (type of the number, type of the blob)
 * and the number. SQLite writes over the start of a deleted cell, so what comes earlier is not asked for; without its
 * type the number may have any width, if the chunk lies on this page alone.
 */
function* recordsBefore(page: Buffer, start: number): Generator<RecordHeader> {
  for (const typed of [true, false]) {
    for (const [type, bytes] of Object.entries(WHOLE_BYTES)) {
      for (let blobBytes = 1; blobBytes <= 4; blobBytes += 1) {
        const at = start - bytes - blobBytes;
        if (at < 1 || (page[at - 1] === Number(type)) !== typed) continue;
        const blob = varint(page, at, blobBytes);
        if (blob === undefined || blob < 12 + 2 * HEADER_BYTES || blob % 2 !== 0) continue;
        const length = (blob - 12) / 2;
        if (length > (typed ? CHUNK_BYTES_MAX : page.length - start)) continue;
        const header = 3 + blobBytes + bytes;
        const last = wholeAt(page, start - bytes, bytes);
        yield { last, length, local: localBytes(header + length) - header };
      }
    }
  }
}

function wholeAt(page: Buffer, at: number, bytes: number): number {
  // Serial type 9 is the number 1 and takes no bytes.
  if (bytes === 0) return 1;
  return bytes === 8 ? Number(page.readBigInt64BE(at)) : page.readIntBE(at, bytes);
}

function localBytes(payload: number): number {
  if (payload <= LOCAL_BYTES_MAX) return payload;
  const bytes = LOCAL_BYTES_MIN + ((payload - LOCAL_BYTES_MIN) % OVERFLOW_BYTES);
  return bytes <= LOCAL_BYTES_MAX ? bytes : LOCAL_BYTES_MIN;
}

/** A varint of exactly `bytes` bytes; undefined when what stands there is shorter or longer. */
function varint(page: Buffer, at: number, bytes: number): number | undefined {
  let value = 0;
  for (let index = 0; index < bytes; index += 1) {
    const byte = page[at + index]!;
    if (index === bytes - 1 ? byte > 127 : byte < 128) return undefined;
    value = value * 128 + (byte & 127);
  }
  return value;
}
