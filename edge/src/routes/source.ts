import type { TokenReader } from './parser.ts';

/**
 * Reads `/a/b/*` and returns the segments that a source must begin with. Only a trailing star is special, and it
 * is simply dropped: `outputs/out*` matches the output `out`, and a star in the middle matches nothing.
 * @throws RouteError
 */
export function parseSource(reader: TokenReader): string[] {
  const segments: string[] = [];
  if (!reader.isSymbol('/'))
    reader.fail("expected a source that begins with '/', such as /messages/*");
  while (reader.isSymbol('/')) {
    reader.next();
    const token = reader.next();
    if (token.kind !== 'name' && !(token.kind === 'symbol' && token.text === '*'))
      reader.fail("expected a name or '*' after '/'", token);
    segments.push(token.text);
  }
  const last = segments.pop() ?? '';
  const kept = last.replace(/\*+$/, '');
  return kept === '' ? segments : [...segments, kept];
}

/** Whether a source begins with the segments, without regard to case. */
export function matchesSource(segments: readonly string[], source: string): boolean {
  const given = source.split('/').filter((part) => part !== '');
  return segments.every((segment, i) => segment.toLowerCase() === given[i]?.toLowerCase());
}
