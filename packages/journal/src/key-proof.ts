import { crc32 } from 'node:zlib';

/** A row of the table of idempotency keys. */
export interface KeyRow {
  id: string;
  digest: string;
  result: string;
  at: number;
}

const TAG = 'hfkey';
const PROOF_BYTES = TAG.length + 8;

/** A checksum that stands at the end of the row, behind a word that can be searched for. */
export const keyProof = ({ id, digest, result, at }: KeyRow): string =>
  TAG + crc32(`${id}\n${digest}\n${result}\n${at}`).toString(16).padStart(8, '0');

/** Every key that proves itself in these bytes of a page; one that goes on on another page is not found. */
export function* keysIn(page: Buffer): Generator<KeyRow> {
  for (let at = page.indexOf(TAG); at >= 0; at = page.indexOf(TAG, at + 1)) {
    const key = keyBefore(page, at);
    if (key !== undefined) yield key;
  }
}

/** SQLite file format, "Record Format": null, three texts, a whole number, the proof. */
function keyBefore(page: Buffer, end: number): KeyRow | undefined {
  const proof = page.toString('latin1', end, end + PROOF_BYTES);
  for (let start = end - 6; start >= 0; start -= 1) {
    const size = page[start]!;
    if (size < 7 || size > 24 || page[start + 1] !== 0) continue;
    const types = varints(page.subarray(start + 1, start + size));
    if (types?.length !== 6 || types[5] !== 13 + 2 * PROOF_BYTES) continue;
    const lengths = types.slice(1, 4).map((type) => (type % 2 === 1 ? (type - 13) / 2 : -1));
    const whole = WHOLE_BYTES[types[4]!];
    if (whole === undefined || lengths.some((length) => length < 0)) continue;
    const begin = start + size;
    const [id, digest, result] = lengths as [number, number, number];
    if (begin + id + digest + result + whole !== end) continue;
    const key: KeyRow = {
      id: page.toString('utf8', begin, begin + id),
      digest: page.toString('utf8', begin + id, begin + id + digest),
      result: page.toString('utf8', begin + id + digest, end - whole),
      at: whole === 0 ? types[4]! - 8 : wholeAt(page, end - whole, whole),
    };
    if (keyProof(key) === proof) return key;
  }
  return undefined;
}

const WHOLE_BYTES: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 6,
  6: 8,
  8: 0,
  9: 0,
};

const wholeAt = (page: Buffer, at: number, bytes: number): number =>
  bytes === 8 ? Number(page.readBigInt64BE(at)) : page.readIntBE(at, bytes);

function varints(bytes: Buffer): number[] | undefined {
  const values: number[] = [];
  let value = 0;
  let open = false;
  for (const byte of bytes) {
    value = value * 128 + (byte & 127);
    open = byte > 127;
    if (open) continue;
    values.push(value);
    value = 0;
  }
  return open ? undefined : values;
}
