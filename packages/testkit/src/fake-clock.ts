/** A clock that stands still until told to move; shaped like `Clock` of the module host. */
export class FakeClock {
  #monotonic = 0;
  #wall: number;
  #timers: { at: number; run: () => void }[] = [];

  /** @param wallMs wall time at the start. @default 2026-11-23T12:00:00Z */
  constructor(wallMs = Date.UTC(2026, 10, 23, 12)) {
    this.#wall = wallMs;
  }

  monotonicMs = (): number => this.#monotonic;
  wallMs = (): number => this.#wall;

  /** Moves both clocks, and runs what was set with `after` on the way, in order of time. */
  advance(ms: number): void {
    const target = this.#monotonic + ms;
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.at <= target)
        .sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#move(next.at - this.#monotonic);
      next.run();
    }
    this.#move(target - this.#monotonic);
  }

  /** Sets the wall clock alone, as an operator or NTP does; intervals must not notice. */
  setWall(wallMs: number): void {
    this.#wall = wallMs;
  }

  /** Runs a function once the monotonic clock has gone on by so many ms; returns its cancellation. */
  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#monotonic + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  #move(ms: number): void {
    this.#monotonic += ms;
    this.#wall += ms;
  }
}
