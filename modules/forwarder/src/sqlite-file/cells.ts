import type { StoreImage } from './image.ts';
import { PAGE_BYTES } from './log.ts';

export type Value = null | number | string | Buffer;

/** One row as it stands in the file. */
export interface RawRow {
  /** Undefined for a table without row numbers. */
  number: number | undefined;
  values: readonly Value[];
}

/** Kinds of b-tree pages, by their first byte. */
export const PAGE = { indexInner: 2, tableInner: 5, indexLeaf: 10, tableLeaf: 13 } as const;

/** Nothing in these tables comes near it; a size beyond is damage. */
const PAYLOAD_BYTES_MAX = 64 * 1024 * 1024;

const headerAt = (pageNumber: number): number => (pageNumber === 1 ? 100 : 0);

export function pageKind(page: Buffer, number: number): number {
  return page[headerAt(number)] ?? 0;
}

/** Offsets of the cells of a page, and of the right-most child of an inner one. None where the header makes no sense. */
export function cellsOf(page: Buffer, number: number): number[] {
  const header = headerAt(number);
  const inner = pageKind(page, number) <= PAGE.tableInner;
  const count = page.readUInt16BE(header + 3);
  const first = header + (inner ? 12 : 8);
  const offsets: number[] = [];
  for (let i = 0; i < count && first + 2 * i + 2 <= PAGE_BYTES; i++) {
    const offset = page.readUInt16BE(first + 2 * i);
    if (offset >= first && offset < PAGE_BYTES) offsets.push(offset);
  }
  return offsets;
}

/** Children of an inner page. */
export function childrenOf(page: Buffer, number: number): number[] {
  const children = cellsOf(page, number)
    .filter((offset) => offset + 4 <= PAGE_BYTES)
    .map((offset) => page.readUInt32BE(offset));
  return [...children, page.readUInt32BE(headerAt(number) + 8)];
}

/**
 * Reads one cell.
 * @returns undefined when it cannot be a row
 */
export function readCell(
  image: StoreImage,
  page: Buffer,
  given: { kind: number; offset: number },
): RawRow | undefined {
  const reader = new Reader(page, given.offset + (given.kind === PAGE.indexInner ? 4 : 0));
  const bytes = reader.varint();
  const table = given.kind === PAGE.tableLeaf;
  const number = table ? reader.varint() : undefined;
  if (!(bytes > 0) || bytes > PAYLOAD_BYTES_MAX) return undefined;
  const payload = payloadOf(image, page, { at: reader.at, bytes, table });
  const values = payload === undefined ? undefined : valuesOf(payload);
  return values === undefined ? undefined : { number, values };
}

/** What does not fit into the page goes on in a chain of overflow pages. */
function payloadOf(
  image: StoreImage,
  page: Buffer,
  { at, bytes, table }: { at: number; bytes: number; table: boolean },
): Buffer | undefined {
  const largest = table ? PAGE_BYTES - 35 : Math.floor(((PAGE_BYTES - 12) * 64) / 255) - 23;
  if (bytes <= largest) {
    return at + bytes <= PAGE_BYTES ? page.subarray(at, at + bytes) : undefined;
  }
  const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
  const fitting = least + ((bytes - least) % (PAGE_BYTES - 4));
  const local = fitting <= largest ? fitting : least;
  if (at + local + 4 > PAGE_BYTES) return undefined;
  const parts = [page.subarray(at, at + local)];
  let left = bytes - local;
  let next = page.readUInt32BE(at + local);
  while (left > 0) {
    const overflow = image.page(next);
    if (overflow === undefined) return undefined;
    parts.push(overflow.subarray(4, 4 + Math.min(left, PAGE_BYTES - 4)));
    left -= PAGE_BYTES - 4;
    next = overflow.readUInt32BE(0);
  }
  return Buffer.concat(parts);
}

function valuesOf(payload: Buffer): Value[] | undefined {
  const header = new Reader(payload, 0);
  const headerBytes = header.varint();
  if (!(headerBytes >= 1) || headerBytes > payload.length) return undefined;
  const values: Value[] = [];
  let at = headerBytes;
  while (header.at < headerBytes) {
    const type = header.varint();
    const bytes = bytesOf(type);
    if (bytes === undefined || at + bytes > payload.length) return undefined;
    values.push(valueIn(payload, { type, at, bytes }));
    at += bytes;
  }
  return values;
}

function bytesOf(type: number): number | undefined {
  if (type <= 4) return type;
  if (type === 5) return 6;
  if (type === 6 || type === 7) return 8;
  if (type === 8 || type === 9) return 0;
  return type >= 12 ? Math.floor((type - 12) / 2) : undefined;
}

function valueIn(
  payload: Buffer,
  { type, at, bytes }: { type: number; at: number; bytes: number },
): Value {
  if (type === 0) return null;
  if (type <= 5) return payload.readIntBE(at, bytes);
  if (type === 6) return Number(payload.readBigInt64BE(at));
  if (type === 7) return payload.readDoubleBE(at);
  if (type <= 9) return type - 8;
  const body = payload.subarray(at, at + bytes);
  return type % 2 === 0 ? body : body.toString('utf8');
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  /** A number of one to nine bytes; NaN beyond the end. Above 2^53 it is not exact, and then it is damage here. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) return Number.NaN;
      value = value * 128 + (byte & 0x7f);
      if (byte < 128) return value;
    }
    return value * 256 + (this.#bytes[this.at++] ?? Number.NaN);
  }
}
