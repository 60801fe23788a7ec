/** One field of a protobuf message in a buffer: its bytes with its tag, and its value without. */
export interface RawField {
  readonly number: number;
  readonly whole: Buffer;
  /** Of length-delimited fields; empty for others. */
  readonly value: Buffer;
}

const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The fields of a message that was walked through before, so that it is known to be well-formed. */
export function* fieldsOf(message: Buffer): Generator<RawField> {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[position++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  };
  while (position < message.length) {
    const start = position;
    const tag = varint();
    const wire = tag % 8;
    let value = message.subarray(0, 0);
    if (wire === WIRE.varint) varint();
    else if (wire === WIRE.fixed64) position += 8;
    else if (wire === WIRE.fixed32) position += 4;
    else {
      const length = varint();
      value = message.subarray(position, position + length);
      position += length;
    }
    yield { number: Math.floor(tag / 8), whole: message.subarray(start, position), value };
  }
}

/** A length-delimited field. */
export function bytesField(number: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([varintOf(number * 8 + WIRE.bytes), varintOf(bytes.length), bytes]);
}

export const numberField = (number: number, value: number): Buffer =>
  Buffer.concat([varintOf(number * 8), varintOf(value)]);

function varintOf(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
}
