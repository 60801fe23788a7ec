/** Where a text stops being JSON. `line` and `column` count from 1, `offset` from 0. */
export interface JsonErrorPlace {
  offset: number;
  line: number;
  column: number;
  /** The text found there, at most 20 characters; empty at the end of the text. */
  found: string;
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w)/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/**
 * Finds the first character that no JSON text could have at its place; undefined when the text is JSON.
 * The engine's own message has no position for short texts. Keeps its own stack, so depth is no danger.
 */
export function locateJsonError(text: string): JsonErrorPlace | undefined {
  const scan = new Scan(text);
  while (!scan.done) {
    if (!scan.step()) return placeOf(text, scan.offset);
  }
  return scan.atEnd() ? undefined : placeOf(text, scan.offset);
}

type Expectation = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'comma-or-end';

/**
 * `open` holds the closing brackets still owed, innermost last. `expect` says what may come next inside of the
 * innermost one; once nothing is owed and a value has been read the text must be over.
 */
class Scan {
  offset = 0;
  done = false;
  readonly #text: string;
  readonly #open: ('}' | ']')[] = [];
  #expect: Expectation = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#skip(SPACE);
    return this.offset === this.#text.length;
  }

  step(): boolean {
    this.#skip(SPACE);
    const next = this.#text[this.offset];
    const closing = this.#open.at(-1);
    if (next !== undefined && next === closing && /end$/.test(this.#expect)) {
      this.#open.pop();
      return this.#consume(1, 'comma-or-end');
    }
    switch (this.#expect) {
      case 'comma-or-end':
        return next === ',' && this.#consume(1, closing === '}' ? 'key' : 'value');
      case 'key':
      case 'key-or-end':
        return this.#key();
      default:
        return this.#value(next);
    }
  }

  #key(): boolean {
    if (!this.#skip(STRING)) return false;
    this.#skip(SPACE);
    return this.#text[this.offset] === ':' && this.#consume(1, 'value');
  }

  #value(next: string | undefined): boolean {
    if (next === '{') {
      this.#open.push('}');
      return this.#consume(1, 'key-or-end');
    }
    if (next === '[') {
      this.#open.push(']');
      return this.#consume(1, 'value-or-end');
    }
    return this.#skip(SCALAR) && this.#consume(0, 'comma-or-end');
  }

  #consume(length: number, expect: Expectation): true {
    this.offset += length;
    this.#expect = expect;
    this.done = this.#open.length === 0 && expect === 'comma-or-end';
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.offset;
    if (!pattern.test(this.#text)) return false;
    this.offset = pattern.lastIndex;
    return true;
  }
}

function placeOf(text: string, offset: number): JsonErrorPlace {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  const column = offset - before.lastIndexOf('\n');
  return { offset, line, column, found: text.slice(offset, offset + 20) };
}
