/**
 * One column of numbers as bytes. Sensors give decimals of few digits, so a column whose values are all
 * `n / 10^scale` with a small whole `n` is stored as those `n`: a half or a quarter of the doubles, and it comes back
 * to the same double, because a quotient of two exact doubles is rounded to the nearest, which is what parsing the
 * decimal gave. Everything else is stored as doubles. Missing values are the smallest integer, or NaN: neither
 * ever stands for a value. (Minus zero comes back as zero; JSON does not tell them apart.)
 */
const INT16 = 1;
const INT32 = 2;
const FLOAT64 = 3;
const INT16_NULL = -0x8000;
const INT32_NULL = -0x8000_0000;
const INT16_MAX = 0x7fff;
const INT32_MAX = 0x7fff_ffff;

/** Kind and scale in one byte, so that a chunk of one row stays small. */
const KIND_BITS = 2;

/** More decimals than this and int32 holds next to nothing. */
const SCALE_MAX = 9;
const POWERS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** Longest JSON of a double: `-1.2345678901234567e-300`. */
const NUMBER_CHARS_MAX = 25;

/** Characters of a whole number >= 0 below 1e21, which JavaScript writes without exponent; never too few. */
export function digitsOf(whole: number): number {
  if (whole < 1e5) {
    if (whole < 100) return whole < 10 ? 1 : 2;
    if (whole < 1e3) return 3;
    return whole < 1e4 ? 4 : 5;
  }
  if (whole < 1e10) {
    if (whole < 1e7) return whole < 1e6 ? 6 : 7;
    if (whole < 1e8) return 8;
    return whole < 1e9 ? 9 : 10;
  }
  let digits = 11;
  for (let limit = 1e11; whole >= limit; limit *= 10) digits += 1;
  return digits;
}

/** Characters of JSON that a double of full precision has at most. */
function charsOfDouble(value: number): number {
  const size = Math.abs(value);
  if (size >= 1e21 || size < 1e-6) return size === 0 ? 1 : NUMBER_CHARS_MAX;
  const sign = value < 0 ? 1 : 0;
  // 17 significant digits always suffice; a point; and below 1 the zeros before the first of them.
  if (size >= 1) return sign + Math.max(18, digitsOf(size));
  let zeros = 1;
  for (let limit = 0.1; size < limit; limit /= 10) zeros += 1;
  return sign + 18 + zeros;
}

/** A column on its way to bytes. One object is used for column after column. */
export class ColumnWriter {
  #values = new Float64Array(1024);
  #rows = 0;
  #scale = 0;
  #exact = true;
  #sizeMax = 0;
  #base = 0;

  start(rows: number): void {
    if (this.#values.length < rows) this.#values = new Float64Array(rows * 2);
    this.#rows = 0;
    this.#scale = 0;
    this.#exact = true;
    this.#sizeMax = 0;
    this.#base = 0;
  }

  /**
   * Takes the next row; gives the characters of JSON that it needs, at most one or two too many.
   * NaN for a value that is neither finite nor null.
   */
  push(value: number | null): number {
    if (value === null) {
      this.#values[this.#rows++] = Number.NaN;
      return 4;
    }
    // Also false for NaN and the infinities.
    if (!(value - value === 0)) return Number.NaN;
    this.#values[this.#rows++] = value;
    const size = value < 0 ? -value : value;
    if (size > this.#sizeMax) this.#sizeMax = size;
    return this.#exact ? this.#charsExact(value, size) : charsOfAny(value);
  }

  /** Takes the next row of a column of times: whole numbers, stored relative to the first of them. */
  pushTime(t: number): number {
    if (this.#rows === 0) this.#base = t;
    const offset = t - this.#base;
    const size = offset < 0 ? -offset : offset;
    if (size > this.#sizeMax) this.#sizeMax = size;
    this.#values[this.#rows++] = offset;
    return t < 0 ? digitsOf(-t) + 1 : digitsOf(t);
  }

  /** First time of a column of times; 0 for values. */
  get base(): number {
    return this.#base;
  }

  /** One byte that says how the cells are to be read. */
  get descriptor(): number {
    const kind = this.#kind();
    return kind === FLOAT64 ? FLOAT64 : kind | (this.#scale << KIND_BITS);
  }

  /** Writes the cells at the next offset from `at` on that fits their width; gives the offset behind them. */
  write(target: ArrayBuffer, at: number): number {
    const kind = this.#kind();
    const rows = this.#rows;
    const values = this.#values;
    const start = cellsAt(kind, at);
    if (kind === FLOAT64) {
      new Float64Array(target, start, rows).set(values.subarray(0, rows));
      return start + rows * 8;
    }
    const power = POWERS[this.#scale]!;
    const missing = kind === INT16 ? INT16_NULL : INT32_NULL;
    const cells =
      kind === INT16 ? new Int16Array(target, start, rows) : new Int32Array(target, start, rows);
    for (let row = 0; row < rows; row += 1) {
      const value = values[row]!;
      cells[row] = Number.isNaN(value) ? missing : Math.round(value * power);
    }
    return start + cells.byteLength;
  }

  #kind(): number {
    if (!this.#exact) return FLOAT64;
    const whole = this.#sizeMax * POWERS[this.#scale]!;
    if (whole <= INT16_MAX) return INT16;
    return whole <= INT32_MAX ? INT32 : FLOAT64;
  }

  #charsExact(value: number, size: number): number {
    for (;;) {
      const power = POWERS[this.#scale]!;
      const whole = Math.round(size * power);
      if (whole / power === size) {
        // JavaScript writes an exponent from 1e21 on and below 1e-6.
        if (whole >= 1e21 || (size < 1e-6 && size !== 0)) return NUMBER_CHARS_MAX;
        const sign = value < 0 ? 1 : 0;
        if (this.#scale === 0) return sign + digitsOf(whole);
        return sign + 1 + Math.max(this.#scale + 1, digitsOf(whole));
      }
      if (this.#scale === SCALE_MAX) {
        this.#exact = false;
        return charsOfDouble(value);
      }
      this.#scale += 1;
    }
  }
}

const charsOfAny = (value: number): number =>
  Number.isInteger(value) && Math.abs(value) < 1e21
    ? digitsOf(Math.abs(value)) + (value < 0 ? 1 : 0)
    : charsOfDouble(value);

const widthOf = (kind: number): number => (kind === INT16 ? 2 : kind === INT32 ? 4 : 8);

const cellsAt = (kind: number, at: number): number => {
  const width = widthOf(kind);
  return Math.ceil(at / width) * width;
};

/** One column in stored bytes. */
export class ColumnReader {
  /** Offset behind the cells. */
  readonly end: number;
  readonly #kind: number;
  readonly #cells: Int16Array | Int32Array | Float64Array;
  readonly #power: number;

  constructor(source: ArrayBuffer, at: number, rows: number, descriptor: number) {
    const kind = descriptor & ((1 << KIND_BITS) - 1);
    const start = cellsAt(kind, at);
    this.#kind = kind;
    this.#power = POWERS[descriptor >> KIND_BITS]!;
    if (kind === INT16) this.#cells = new Int16Array(source, start, rows);
    else if (kind === INT32) this.#cells = new Int32Array(source, start, rows);
    else this.#cells = new Float64Array(source, start, rows);
    this.end = start + this.#cells.byteLength;
  }

  /** Appends rows `from..end`, `end` not included. */
  values(from: number, end: number, to: (number | null)[]): void {
    const cells = this.#cells;
    if (this.#kind === FLOAT64) {
      for (let row = from; row < end; row += 1) {
        const value = cells[row]!;
        to.push(Number.isNaN(value) ? null : value);
      }
      return;
    }
    const power = this.#power;
    const missing = this.#kind === INT16 ? INT16_NULL : INT32_NULL;
    for (let row = from; row < end; row += 1) {
      const whole = cells[row]!;
      to.push(whole === missing ? null : whole / power);
    }
  }

  /** The same for a column of times, which are stored relative to `base`. */
  times(from: number, end: number, base: number, to: number[]): void {
    const cells = this.#cells;
    for (let row = from; row < end; row += 1) to.push(base + cells[row]!);
  }
}
