/**
 * Work that can wait, in short steps between turns of the event loop. It never keeps the process alive.
 *
 * States: **idle**; **soon**: a timer runs; **next**: a step comes in the next turn. `soon` leaves all but idle as it
 * is; `next` ends a timer. A step that says there is more leads to next, else to idle.
 */
export class Background {
  readonly #step: () => boolean;
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  /** `step` gives true when there is more to do. */
  constructor(step: () => boolean, delayMs: number) {
    this.#step = step;
    this.#delayMs = delayMs;
  }

  soon(): void {
    if (this.#timer !== undefined || this.#turn !== undefined) return;
    this.#timer = setTimeout(() => this.#run(), this.#delayMs).unref();
  }

  next(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#turn ??= setImmediate(() => this.#run()).unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#timer = undefined;
    this.#turn = undefined;
  }

  #run(): void {
    this.cancel();
    try {
      if (this.#step()) this.next();
    } catch (error) {
      // What could not be forgotten is forgotten later. `append` tells the owner about the disk.
      if ((error as { code?: unknown }).code !== 'JOURNAL_DISK_FULL') throw error;
      this.soon();
    }
  }
}
