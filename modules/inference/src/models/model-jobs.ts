import type { ModelIdentity } from '@holdfast/contracts';
import type { ModelState } from '../domain/catalog.ts';
import type { Effect } from '../domain/slot-events.ts';
import { type NotTaken, type Preparing, prepareModel } from './prepare-model.ts';
import type { SetModel } from './set-model.ts';

type Start = Extract<Effect, { kind: 'start' }>;

/** What becomes of a job; none of it is said once it was cancelled. */
export interface JobReport {
  step(job: Start, state: ModelState, more: { identity?: ModelIdentity; percent?: number }): void;
  done(job: Start, model: SetModel, seconds: number): void;
  failed(job: Start, error: NotTaken): void;
}

/** Runs the jobs of the slots: at most one of a slot at a time, also when one that was cancelled has not ended yet. */
export class ModelJobs {
  readonly #by: Omit<Preparing, 'inTurn'>;
  readonly #report: JobReport;
  readonly #aborts = new Map<number, AbortController>();
  readonly #tails = new Map<string, Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(by: Omit<Preparing, 'inTurn'>, report: JobReport) {
    this.#by = by;
    this.#report = report;
  }

  /** `served`: this very bundle was in use before. Never rejects; resolves when the job has ended. */
  start(job: Start, served: boolean): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(job.job, abort);
    const tail = (this.#tails.get(job.slot) ?? Promise.resolve()).then(() =>
      this.#run(job, served, abort.signal),
    );
    this.#tails.set(job.slot, tail);
    return tail;
  }

  cancel(job: number): void {
    this.#aborts.get(job)?.abort();
    this.#aborts.delete(job);
  }

  /** Cancels everything, and resolves when nothing runs any more. */
  async close(): Promise<void> {
    for (const job of [...this.#aborts.keys()]) this.cancel(job);
    await Promise.all(this.#tails.values());
  }

  async #run(job: Start, served: boolean, signal: AbortSignal): Promise<void> {
    let verifyMs: number | undefined;
    const { monotonicMs } = this.#by;
    try {
      if (signal.aborted) return;
      const model = await prepareModel(
        {
          ...{ source: job.source, digest: job.digest, signal, served },
          onStep: (state, more = {}) => {
            verifyMs ??= state === 'verifying' ? monotonicMs() : undefined;
            if (!signal.aborted) this.#report.step(job, state, more);
          },
        },
        { ...this.#by, inTurn: (work) => this.#inTurn(work) },
      );
      if (signal.aborted) await model.close();
      else this.#report.done(job, model, (monotonicMs() - (verifyMs ?? monotonicMs())) / 1_000);
    } catch (error) {
      if (!signal.aborted) this.#report.failed(job, error as NotTaken);
    } finally {
      this.#aborts.delete(job.job);
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}
