/** Weight of the newest run in the running mean: about the last ten count. */
const NEWEST = 0.2;

/** How long runs of each model take, by those that were seen; the guess for the next one. */
export class ServiceTimes {
  readonly #means = new Map<number, { runMs: number; requestMs: number }>();

  record(model: number, runMs: number, requests: number): void {
    const seen = this.#means.get(model);
    const requestMs = runMs / requests;
    if (seen === undefined) this.#means.set(model, { runMs, requestMs });
    else {
      seen.runMs += NEWEST * (runMs - seen.runMs);
      seen.requestMs += NEWEST * (requestMs - seen.requestMs);
    }
  }

  /** Of one run; 0 before the first. */
  runMs(model: number): number {
    return this.#means.get(model)?.runMs ?? 0;
  }

  /** Of one request, which may be a part of a run; 0 before the first. */
  requestMs(model: number): number {
    return this.#means.get(model)?.requestMs ?? 0;
  }

  forget(model: number): void {
    this.#means.delete(model);
  }
}
