import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import type { LogLine } from './log-lines.ts';

/** A module without limits still cannot fill the disk of a developer. */
const BYTES_MAX_DEFAULT = 10 * 1024 * 1024;
const FILES_MAX_DEFAULT = 3;

const units: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Output of one module: `<file>`, and older parts `<file>.1`, `<file>.2`, ... as LogConfig says. */
export class LogFile {
  readonly #path: string;
  readonly #bytesMax: number;
  readonly #filesMax: number;
  #bytes: number;

  constructor(
    path: string,
    config: { 'max-size'?: string | undefined; 'max-file'?: string | undefined } = {},
  ) {
    this.#path = path;
    this.#bytesMax = bytesOf(config['max-size']) ?? BYTES_MAX_DEFAULT;
    this.#filesMax = Number(config['max-file'] ?? FILES_MAX_DEFAULT);
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
  }

  append(line: LogLine): void {
    const text = `${JSON.stringify(line)}\n`;
    const bytes = Buffer.byteLength(text);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#bytesMax) this.#rotate();
    appendFileSync(this.#path, text);
    this.#bytes += bytes;
  }

  /** Everything kept, oldest first. */
  *lines(): Generator<LogLine> {
    for (let index = this.#filesMax - 1; index >= 0; index -= 1) {
      const path = this.#part(index);
      if (!existsSync(path)) continue;
      for (const text of readFileSync(path, 'utf8').split('\n')) {
        const line = text === '' ? undefined : parseLine(text);
        if (line !== undefined) yield line;
      }
    }
  }

  #rotate(): void {
    rmSync(this.#part(this.#filesMax - 1), { force: true });
    for (let index = this.#filesMax - 2; index >= 0; index -= 1) {
      if (existsSync(this.#part(index))) renameSync(this.#part(index), this.#part(index + 1));
    }
    this.#bytes = 0;
  }

  #part(index: number): string {
    return index === 0 ? this.#path : `${this.#path}.${index}`;
  }
}

function bytesOf(size: string | undefined): number | undefined {
  const found = /^(\d+)([kmg]?)$/i.exec(size ?? '');
  return found === null
    ? undefined
    : Number(found[1]) * (units[found[2]?.toLowerCase() ?? ''] ?? 1);
}

/** The last line can be half written when the supervisor was killed. */
function parseLine(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
