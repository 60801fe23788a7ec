/** A route that does not compile. `offset` counts from 0 in UTF-16 units; `line` and `column` from 1. */
export class RouteError extends Error {
  readonly code = 'EDGE_ROUTE_INVALID';
  readonly offset: number;
  readonly line: number;
  readonly column: number;

  constructor(problem: string, text: string, offset: number) {
    const before = text.slice(0, offset).split('\n');
    const line = before.length;
    const column = (before.at(-1) ?? '').length + 1;
    super(`${problem} (line ${line}, column ${column})`);
    this.name = 'RouteError';
    this.offset = offset;
    this.line = line;
    this.column = column;
  }
}
