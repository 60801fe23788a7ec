import type { Terminal } from './command.ts';

const REDRAW_MS = 100;
const LINE_MS = 10_000;

/** Tells how far long work is, without flooding a log. `clock` in ms. */
export class Progress {
  readonly #terminal: Terminal;
  readonly #clock: () => number;
  #saidAt: number;
  #drawn = false;

  constructor(terminal: Terminal, clock: () => number = () => performance.now()) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#saidAt = clock();
  }

  /** `done` and `total` in bytes. */
  tell(what: string, done: number, total?: number): void {
    const { redraw } = this.#terminal;
    const now = this.#clock();
    if (now - this.#saidAt < (redraw === undefined ? LINE_MS : REDRAW_MS)) return;
    this.#saidAt = now;
    const text = `${what}: ${amount(done, total)}`;
    this.#drawn = redraw !== undefined;
    if (redraw === undefined) this.#terminal.error(text);
    else redraw(text);
  }

  /** Takes the last line away. */
  end(): void {
    if (this.#drawn) this.#terminal.redraw?.('');
  }
}

function amount(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return bytes(done);
  return `${Math.floor((done / total) * 100)} % of ${bytes(total)}`;
}

/** `12.3 MB`; powers of 1,000. */
export function bytes(count: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}
