/** Progress on a terminal: a block of lines that is drawn again in place; elsewhere a line now and then. */
export class Display {
  readonly #terminal: boolean;
  readonly #write: (text: string) => void;
  readonly #startedAtMs = performance.now();
  #drawnLines = 0;
  #lastPlainAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { terminal: boolean; write: (text: string) => void }) {
    this.#terminal = options.terminal;
    this.#write = options.write;
  }

  /** A line that stays. */
  say(line: string): void {
    this.#erase();
    this.#write(`${line}\n`);
  }

  /** Something that happened, with the time since the start. */
  event(line: string): void {
    const seconds = Math.floor((performance.now() - this.#startedAtMs) / 1000);
    const minutes = String(Math.floor(seconds / 60)).padStart(2, '0');
    this.say(`${minutes}:${String(seconds % 60).padStart(2, '0')} ${line}`);
  }

  /** The current state: `block` for a terminal, `line` every two seconds elsewhere. */
  show(block: readonly string[], line: string, nowMs: number): void {
    if (!this.#terminal) {
      if (nowMs - this.#lastPlainAtMs < 2_000) return;
      this.#lastPlainAtMs = nowMs;
      this.#write(`${line}\n`);
      return;
    }
    this.#erase();
    this.#write(`${block.join('\n')}\n`);
    this.#drawnLines = block.length;
  }

  /** Takes the block away, so that what follows stands alone. */
  clear(): void {
    this.#erase();
  }

  #erase(): void {
    if (this.#drawnLines === 0) return;
    this.#write(`\u001b[${this.#drawnLines}F\u001b[J`);
    this.#drawnLines = 0;
  }
}

/** `1234567` becomes `1,234,567`. */
export const count = (value: number): string => value.toLocaleString('en-US');

/** A bar of `width` cells for a share from 0 to 1. */
export const bar = (share: number, width: number): string => {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
};

/** Red on a terminal that shows colours: for what is not as it should be. */
export const alarming = (text: string): string =>
  process.stdout.isTTY === true && process.stdout.hasColors()
    ? `\u001b[31m${text}\u001b[39m`
    : text;
