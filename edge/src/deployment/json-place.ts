const blank = /[ \t\r\n]*/y;
const string = /"(?:[^"\\\p{Cc}]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Where a text stops being JSON, as line and column from one. The messages of JSON.parse do not always say. */
export function jsonErrorPlace(text: string): { line: number; column: number } {
  const before = text.slice(0, errorOffset(text)).split('\n');
  return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
}

function errorOffset(text: string): number {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const length = pattern.exec(text)?.[0].length ?? -1;
    if (length >= 0) at += length;
    return length >= 0;
  };
  const skip = (sign: string): boolean => {
    take(blank);
    if (text[at] !== sign) return false;
    at += 1;
    return true;
  };
  /** Closing brackets that are still to come. */
  const open: string[] = [];
  for (;;) {
    take(blank);
    if (open.at(-1) === '}' && !(take(string) && skip(':'))) return at;
    if (skip('{')) {
      if (!skip('}')) {
        open.push('}');
        continue;
      }
    } else if (skip('[')) {
      if (!skip(']')) {
        open.push(']');
        continue;
      }
    } else if (!take(string) && !take(scalar)) return at;
    while (open.length > 0 && skip(open.at(-1) ?? '')) open.pop();
    if (open.length === 0 || !skip(',')) return at;
  }
}
