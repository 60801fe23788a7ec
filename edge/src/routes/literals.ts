import type { Value } from './expression.ts';

/** The text between the quotes, with `\"`, `\'`, `\\` and `\uXXXX` resolved. */
export function parseString(token: string): string {
  return token
    .slice(1, -1)
    .replace(/\\(?:u([0-9a-fA-F]{4})|(["'\\]))/g, (_, hex: string | undefined, plain: string) =>
      hex === undefined ? plain : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/**
 * A number token. Hexadecimal ones are signed 64-bit; what looks like a number to the lexer but is none
 * (`e5` is an exponent without digits) is undefined, as in edgeHub.
 */
export function parseNumber(token: string): Value {
  if (/^0x/i.test(token)) {
    return token.length > 18 ? undefined : Number(BigInt.asIntN(64, BigInt(token)));
  }
  if (!/^-?(?:\d|\.\d)/.test(token)) return undefined;
  return Number(token);
}

/** `as_number`: invariant culture; white space, sign, thousands separators, parentheses and exponent are allowed. */
export function numberFromText(text: string): Value {
  let rest = text.trim();
  let sign = 1;
  if (rest.startsWith('(') && rest.endsWith(')')) {
    sign = -1;
    rest = rest.slice(1, -1).trim();
  }
  const parts = /^([+-]?)(\d[\d,]*(?:\.\d*)?|\.\d+)(e[+-]?\d+)?([+-]?)$/i.exec(rest);
  if (parts === null || (parts[1] !== '' && parts[4] !== '')) return undefined;
  if (parts[1] === '-' || parts[4] === '-') sign = -sign;
  return sign * Number(`${(parts[2] ?? '').replaceAll(',', '')}${parts[3] ?? ''}`);
}
