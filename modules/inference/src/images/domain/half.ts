/** Between float32 and the bits of float16 (IEEE 754 binary16), rounding to the nearest, ties to even. */

const bits = new DataView(new ArrayBuffer(4));

export function toHalf(value: number): number {
  bits.setFloat32(0, value);
  const whole = bits.getUint32(0);
  const sign = (whole >>> 16) & 0x8000;
  const exponent = (whole >>> 23) & 0xff;
  const fraction = whole & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  const shifted = exponent - 112;
  if (shifted >= 0x1f) return sign | 0x7c00;
  if (shifted > 0) return sign | rounded((shifted << 23) | fraction, 13);
  // Below the smallest normal number: the leading 1 is written out.
  return shifted < -10 ? sign : sign | rounded(fraction | 0x800000, 14 - shifted);
}

function rounded(value: number, drop: number): number {
  const kept = value >>> drop;
  const rest = value & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
