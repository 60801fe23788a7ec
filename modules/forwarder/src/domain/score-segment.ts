import type { Level } from '@holdfast/contracts';

/** Scored rows of one asset in one batch; all arrays have one entry a row. */
export interface SegmentColumns {
  seq: number[];
  t: number[];
  score: number[];
  level: Level[];
}

/**
 * Packs columns into bytes: a format byte, the row count, sequence numbers and times as differences of the
 * difference (one byte a row at a steady rhythm), levels at four a byte, scores as float32 where that loses nothing
 * (scores of a float32 model do), else float64.
 */
export function packSegment(columns: SegmentColumns): Uint8Array {
  const { seq, t, score, level } = columns;
  const rows = seq.length;
  const single = score.every((value) => Math.fround(value) === value);
  const writer = new VarintWriter(16 + rows * 4);
  writer.put(single ? 1 : 2);
  writer.put(rows);
  for (const column of [seq, t]) {
    let previous = 0;
    let step = 0;
    for (const value of column) {
      writer.putSigned(value - previous - step);
      step = value - previous;
      previous = value;
    }
  }
  const head = writer.bytes();
  const size = single ? 4 : 8;
  const packed = new Uint8Array(head.length + Math.ceil(rows / 4) + rows * size);
  packed.set(head);
  for (let i = 0; i < rows; i++) {
    const at = head.length + (i >> 2);
    packed[at] = packed[at]! | (level[i]! << ((i & 3) * 2));
  }
  const view = new DataView(packed.buffer, head.length + Math.ceil(rows / 4));
  for (let i = 0; i < rows; i++) {
    if (single) view.setFloat32(i * 4, score[i]!, true);
    else view.setFloat64(i * 8, score[i]!, true);
  }
  return packed;
}

/** The columns that `packSegment` was given, exactly. */
export function unpackSegment(packed: Uint8Array): SegmentColumns {
  const reader = new VarintReader(packed);
  const single = reader.take() === 1;
  const rows = reader.take();
  const [seq, t] = [takeColumn(reader, rows), takeColumn(reader, rows)];
  const level: Level[] = [];
  for (let i = 0; i < rows; i++) {
    level.push(((packed[reader.at + (i >> 2)]! >> ((i & 3) * 2)) & 3) as Level);
  }
  const offset = packed.byteOffset + reader.at + Math.ceil(rows / 4);
  const view = new DataView(packed.buffer, offset);
  const score: number[] = [];
  for (let i = 0; i < rows; i++) {
    score.push(single ? view.getFloat32(i * 4, true) : view.getFloat64(i * 8, true));
  }
  return { seq, t, score, level };
}

function takeColumn(reader: VarintReader, rows: number): number[] {
  const column: number[] = [];
  let previous = 0;
  let step = 0;
  for (let i = 0; i < rows; i++) {
    step += reader.takeSigned();
    previous += step;
    column.push(previous);
  }
  return column;
}

/** Base-128 numbers up to 2^53; arithmetic instead of bit operations, which end at 2^32. */
class VarintWriter {
  #buffer: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#buffer = new Uint8Array(capacity);
  }

  put(value: number): void {
    if (this.#length + 10 > this.#buffer.length) {
      const larger = new Uint8Array(this.#buffer.length * 2 + 10);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Small numbers of either sign take one byte: 0, -1, 1, -2 become 0, 1, 2, 3. */
  putSigned(value: number): void {
    this.put(value < 0 ? -2 * value - 1 : 2 * value);
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}

class VarintReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  take(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  takeSigned(): number {
    const value = this.take();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
}
