/** A pause that can be cut short. One waiter at a time. */
export class Wakeup {
  #resolve: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #early = false;

  /** Resolves after so many ms, or at once when `wake` is or was called since the last wait. */
  wait(ms: number): Promise<void> {
    if (this.#early) {
      this.#early = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = setTimeout(() => this.#end(), ms);
    });
  }

  wake(): void {
    if (this.#resolve === undefined) this.#early = true;
    else this.#end();
  }

  #end(): void {
    clearTimeout(this.#timer);
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }
}
