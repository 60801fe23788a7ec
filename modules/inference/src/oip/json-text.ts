import { isUtf8 } from 'node:buffer';
import { wrong } from './api-error.ts';

/** Deepest nesting of a request: tensors have eight dimensions at most in practice. */
export const DEPTH_MAX = 100;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Whole numbers of 16 digits and more: what a double may not hold. */
const LONG_INTEGER = /(?:^|[^.\d])\d{16}/;

/**
 * Parses JSON without losing a whole number: those that a double cannot hold become a BigInt. Only texts that name a
 * 64-bit data type and hold such a number pay for that (20 times the time). @throws ApiError 400
 */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw wrong('body: is empty, must be JSON');
  if (!isUtf8(bytes)) throw wrong('body: is not UTF-8, must be JSON in UTF-8');
  checkDepth(bytes);
  const text = bytes.toString();
  const exact = /"U?INT64"/.test(text) && LONG_INTEGER.test(text);
  try {
    return exact
      ? JSON.parse(text, exactInteger as (key: string, value: unknown) => unknown)
      : JSON.parse(text);
  } catch (error) {
    throw wrong(`body: is not valid JSON: ${(error as Error).message}`);
  }
}

function exactInteger(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context.source ?? '';
  return /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** Before parsing, because each level costs memory: eight million brackets would become half a gigabyte. */
function checkDepth(bytes: Buffer): void {
  if (!mayBeDeep(bytes)) return;
  let depth = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (OPEN.has(byte)) {
      depth += 1;
      if (depth > DEPTH_MAX)
        throw wrong(`body: is nested deeper than ${DEPTH_MAX} levels, at byte ${at}`);
    } else if (CLOSE.has(byte)) depth -= 1;
  }
}

/** With so few brackets in all there is no deep nesting. Nearly all requests end here, a hundred times faster. */
function mayBeDeep(bytes: Buffer): boolean {
  let count = 0;
  for (const bracket of OPEN) {
    let at = bytes.indexOf(bracket);
    while (at >= 0 && count <= DEPTH_MAX) {
      count += 1;
      at = bytes.indexOf(bracket, at + 1);
    }
  }
  return count > DEPTH_MAX;
}

function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
