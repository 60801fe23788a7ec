import { RouteError } from './route-error.ts';

export type TokenKind =
  | 'select'
  | 'from'
  | 'where'
  | 'into'
  | 'and'
  | 'or'
  | 'not'
  | 'string'
  | 'number'
  | 'constant'
  | 'symbol'
  | 'dollar'
  | 'name'
  | 'path'
  | 'end';

export interface Token {
  kind: TokenKind;
  text: string;
  offset: number;
}

/**
 * Rules in order of rank. The longest match wins, and among equally long ones the first: so `3+4` is one name,
 * `a!=b` begins with the name `a!`, and `-5` is a number although every character of it may stand in a name.
 * A backslash or double quote never occurs in a name, a single quote does.
 */
const rules: readonly (readonly [TokenKind | 'skip' | 'unterminated', RegExp])[] = [
  ['select', /select/iy],
  ['from', /from/iy],
  ['where', /where/iy],
  ['into', /into/iy],
  [
    'string',
    /"(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^"\\])*"|'(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^'\\])*'/y,
  ],
  [
    'unterminated',
    /"(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^"\\])*|'(?:\\(?:["'\\]|u[0-9a-fA-F]{4})|[^'\\])*/y,
  ],
  ['number', /-?\d+/y],
  ['number', /0[xX][0-9a-fA-F]+/y],
  ['number', /-?\d*\.\d+(?:[eE][+-]?\d+)?/y],
  ['number', /-?\d*[eE][+-]?\d+/y],
  ['constant', /true|false|null|undefined/y],
  ['symbol', /\|\||\?\?|!=|<>|<=|>=|[-(),+*/%=<>{}]/y],
  ['and', /and/iy],
  ['or', /or/iy],
  ['not', /not/iy],
  ['dollar', /\$[^()<>@,;:\\"/?={} \t\n\r]+/y],
  ['name', /[^()<>@,;:\\"/[\]?={} \t\n\r]+/y],
  ['path', /[^()<>@,;:\\"/?={} \t\n\r]+/y],
  ['skip', /[ \t\r\n]+/y],
  ['skip', /\/\*[\s\S]*?\*\//y],
];

/**
 * Splits the text of a route into tokens; the last one is always `end`.
 * @throws RouteError at the first character that begins no token, and at a string without its closing quote.
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let offset = 0;
  while (offset < text.length) {
    const match = longestMatch(text, offset);
    if (match.kind === 'unterminated')
      throw new RouteError('string has no closing quote', text, offset);
    if (match.length === 0)
      throw new RouteError(`unexpected character ${JSON.stringify(text[offset])}`, text, offset);
    if (match.kind !== 'skip')
      tokens.push({ kind: match.kind, text: text.slice(offset, offset + match.length), offset });
    offset += match.length;
  }
  tokens.push({ kind: 'end', text: '', offset });
  return tokens;
}

function longestMatch(text: string, offset: number) {
  let kind: TokenKind | 'skip' | 'unterminated' = 'skip';
  let length = 0;
  for (const [candidate, pattern] of rules) {
    pattern.lastIndex = offset;
    const found = pattern.exec(text)?.[0].length ?? 0;
    if (found > length) {
      kind = candidate;
      length = found;
    }
  }
  return { kind, length };
}
