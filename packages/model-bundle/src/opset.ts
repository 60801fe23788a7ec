import type { FileHandle } from 'node:fs/promises';

/** Operator sets that an ONNX file imports, `''` for the standard one. */
export type OpsetImports = ReadonlyMap<string, number>;

/** Field numbers of ModelProto and OperatorSetIdProto in onnx.proto3. */
const OPSET_IMPORT = 8;
const DOMAIN = 1;
const VERSION = 2;

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

/** A header field is a few bytes: far less than this at a time is read of a model of any size. */
const PIECE_BYTES = 64;

/**
 * Reads the operator sets from an ONNX file without reading its weights, so that a model that is too new is refused
 * with its number and not with whatever the runtime makes of it.
 * @throws Error when the file is not a protobuf message
 */
export async function readOpsets(file: FileHandle): Promise<OpsetImports> {
  const { size } = await file.stat();
  const opsets = new Map<string, number>();
  const piece = Buffer.alloc(PIECE_BYTES);
  let position = 0;
  while (position < size) {
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, position);
    const head = new Reader(piece.subarray(0, bytesRead));
    const tag = head.varint();
    const skipped = skipOf(tag & 7, head);
    if (tag >>> 3 === OPSET_IMPORT && (tag & 7) === LENGTH) {
      const body = Buffer.alloc(Math.min(skipped, 1_024));
      await file.read(body, 0, body.length, position + head.offset);
      const { domain, version } = opsetOf(new Reader(body));
      opsets.set(domain === 'ai.onnx' ? '' : domain, version);
    }
    position += head.offset + skipped;
  }
  if (position !== size) throw new Error('the file ends in the middle of a field');
  return opsets;
}

/** Bytes of a field's value after its header. */
function skipOf(wire: number, head: Reader): number {
  switch (wire) {
    case VARINT:
      head.varint();
      return 0;
    case FIXED_64:
      return 8;
    case LENGTH:
      return head.varint();
    case FIXED_32:
      return 4;
    default:
      throw new Error('the file is not an ONNX model');
  }
}

function opsetOf(reader: Reader): { domain: string; version: number } {
  let domain = '';
  let version = 0;
  while (!reader.done) {
    const tag = reader.varint();
    const length = (tag & 7) === LENGTH ? reader.varint() : 0;
    if (tag >>> 3 === DOMAIN && (tag & 7) === LENGTH) domain = reader.text(length);
    else if (tag >>> 3 === VERSION && (tag & 7) === VARINT) version = reader.varint();
    else reader.offset += (tag & 7) === LENGTH ? length : skipOf(tag & 7, reader);
  }
  return { domain, version };
}

class Reader {
  offset = 0;
  readonly #bytes: Buffer;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  get done(): boolean {
    return this.offset >= this.#bytes.length;
  }
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 10; count += 1) {
      const byte = this.#bytes[this.offset];
      if (byte === undefined) throw new Error('the file ends in the middle of a field');
      this.offset += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new Error('the file is not an ONNX model');
  }
  text(length: number): string {
    const text = this.#bytes.toString('utf8', this.offset, this.offset + length);
    this.offset += length;
    return text;
  }
}
