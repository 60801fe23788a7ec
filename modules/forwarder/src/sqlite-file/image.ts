import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { PAGE_BYTES, scanLog } from './log.ts';

/**
 * The newest state of every page of a database that no one has open: from the log where it was committed there, else
 * from the file. Reads what is there, damaged or not; who uses it must check.
 */
export class StoreImage {
  readonly pageCount: number;
  readonly #file: number | undefined;
  readonly #filePages: number;
  readonly #log: Buffer;
  readonly #newest = new Map<number, number>();

  constructor(file: string) {
    const exists = existsSync(file);
    this.#file = exists ? openSync(file, 'r') : undefined;
    this.#filePages = exists ? Math.ceil(statSync(file).size / PAGE_BYTES) : 0;
    this.#log = existsSync(`${file}-wal`) ? readFileSync(`${file}-wal`) : Buffer.alloc(0);
    let last = 0;
    // A page number that is damaged may be anything; beyond this it cannot be one.
    const { frames } = scanLog(this.#log);
    const possible = this.#filePages + frames.length;
    for (const { page, offset } of frames) {
      if (page === 0 || page > possible) continue;
      this.#newest.set(page, offset);
      last = Math.max(last, page);
    }
    this.pageCount = Math.max(this.#filePages, last);
  }

  /** Pages are numbered from 1. Undefined beyond the end; what a file that was cut lacks is zero. */
  page(number: number): Buffer | undefined {
    if (!Number.isInteger(number) || number < 1 || number > this.pageCount) return undefined;
    const offset = this.#newest.get(number);
    if (offset !== undefined) return this.#log.subarray(offset, offset + PAGE_BYTES);
    const page = Buffer.alloc(PAGE_BYTES);
    if (this.#file !== undefined && number <= this.#filePages) {
      readSync(this.#file, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES);
    }
    return page;
  }

  /** Whether the newest state of a page is in the log. */
  inLog(number: number): boolean {
    return this.#newest.has(number);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }
}
