import { AsyncLocalStorage } from 'node:async_hooks';

/** Who runs a piece of code: each life of a module is an owner of its own. */
export type Owner = string;

interface Timer {
  at: number;
  order: number;
  owner: Owner;
  run: () => void;
  everyMs: number | undefined;
  live: boolean;
}

/** What `setTimeout` gives in Node, as far as our code and libraries use it. */
class Handle {
  readonly timer: Timer;
  readonly #time: SimulatedTime;

  constructor(time: SimulatedTime, timer: Timer) {
    this.#time = time;
    this.timer = timer;
  }

  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
  refresh(): this {
    this.#time.again(this.timer);
    return this;
  }
  close(): this {
    this.timer.live = false;
    return this;
  }
}

const real = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate };

/**
 * Time that moves only when the simulation says so. While it is installed, the timers of Node are queues in here, in
 * order of their time; each belongs to the owner that set it, so that a module that is killed takes its own with it.
 */
export class SimulatedTime {
  #nowMs = 0;
  #wallMs: number;
  #order = 0;
  #timers: Timer[] = [];
  readonly #dead = new Set<Owner>();
  /** Follows code through its promises. */
  readonly #owner = new AsyncLocalStorage<Owner>();

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  monotonicMs = (): number => this.#nowMs;
  wallMs = (): number => Math.floor(this.#wallMs + this.#nowMs);

  /** Sets the wall clock alone. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  install(): void {
    const set = (everyMs: (ms: number) => number | undefined) =>
      ((run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#set(() => run(...args), Math.max(0, ms), everyMs(ms))) as unknown;
    const clear = (handle: unknown): void => {
      if (handle instanceof Handle) handle.timer.live = false;
      else if (handle !== undefined && handle !== null) real.clearTimeout(handle as NodeJS.Timeout);
    };
    Object.assign(globalThis, {
      setTimeout: set(() => undefined),
      setInterval: set((ms) => Math.max(1, ms)),
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) =>
        this.#set(() => run(...args), 0, undefined),
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    });
  }

  /** Gives Node its timers back. */
  uninstall(): void {
    Object.assign(globalThis, real);
    this.#timers = [];
  }

  /** Runs a function for an owner; timers that it sets, now or after a promise, belong to that owner. */
  as<T>(owner: Owner, run: () => T): T {
    return this.#owner.run(owner, run);
  }

  /** Runs a function for an owner after so many ms; never when the owner is gone by then. */
  after(owner: Owner, ms: number, run: () => void): void {
    this.as(owner, () => this.#set(run, ms, undefined));
  }

  /** An owner is gone, with all that it was waiting for. */
  kill(owner: Owner): void {
    this.#dead.add(owner);
    this.#timers = this.#timers.filter((timer) => timer.owner !== owner);
  }

  /** When the next timer is due; undefined when nobody waits. */
  get nextMs(): number | undefined {
    this.#dropCleared();
    return this.#timers[0]?.at;
  }

  /** Moves to the next timer and runs it. False when there is none. */
  runNext(): boolean {
    this.#dropCleared();
    const timer = this.#timers.shift();
    if (timer === undefined) return false;
    this.#nowMs = Math.max(this.#nowMs, timer.at);
    if (timer.everyMs === undefined) timer.live = false;
    else this.#insert(timer, this.#nowMs + timer.everyMs);
    this.as(timer.owner, timer.run);
    return true;
  }

  /** Lets promises go on until all wait for a timer; a file that is synced in the background is waited for. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => real.setImmediate(resolve));
    while (process.getActiveResourcesInfo().includes('FSReqCallback'));
  }

  /** @internal A timer begins anew. */
  again(timer: Timer): void {
    timer.live = true;
    const waited = timer.at - this.#nowMs;
    this.#timers = this.#timers.filter((other) => other !== timer);
    this.#insert(timer, this.#nowMs + (timer.everyMs ?? Math.max(0, waited)));
  }

  #set(run: () => void, ms: number, everyMs: number | undefined): Handle {
    const owner = this.#owner.getStore() ?? 'world';
    const timer: Timer = { at: 0, order: 0, owner, run, everyMs, live: true };
    if (!this.#dead.has(owner)) this.#insert(timer, this.#nowMs + ms);
    return new Handle(this, timer);
  }

  #insert(timer: Timer, at: number): void {
    timer.at = at;
    timer.order = this.#order++;
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#timers[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
  }

  #dropCleared(): void {
    while (this.#timers[0]?.live === false) this.#timers.shift();
  }
}
