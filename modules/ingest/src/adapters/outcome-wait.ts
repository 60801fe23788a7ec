import type { JournalPosition } from '@holdfast/journal';
import type { RowOutcome } from '../domain/outcome-waiters.ts';
import type { StreamPump } from '../stream-pump.ts';

/** Rows of one request that may be waited for; each costs room in a message. */
export const WAIT_ROWS_MAX = 100;

/** Requests that may wait at once. */
const REQUESTS_WAITING_MAX = 1_000;

/** Waits for what becomes of rows. */
export class OutcomeWait {
  readonly #pumps: readonly StreamPump[];
  readonly #giveUps = new Set<() => void>();
  #ended = false;

  constructor(pumps: readonly StreamPump[]) {
    this.#pumps = pumps;
  }

  /** Outcomes in the order of the positions; undefined when they are too many, or not there in time. */
  outcomes(
    positions: readonly JournalPosition[],
    timeoutMs: number,
  ): Promise<RowOutcome[] | undefined> {
    const refused =
      this.#ended ||
      timeoutMs === 0 ||
      positions.length > WAIT_ROWS_MAX ||
      this.#giveUps.size >= REQUESTS_WAITING_MAX;
    if (refused) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const outcomes: RowOutcome[] = new Array(positions.length);
      let missing = positions.length;
      const finish = (result: RowOutcome[] | undefined): void => {
        clearTimeout(timer);
        this.#giveUps.delete(giveUp);
        for (const { cancel } of waits) cancel();
        resolve(result);
      };
      const waits = positions.map(({ partition, seq }, index) =>
        (this.#pumps[partition] as StreamPump).waiters.wait(seq, (outcome) => {
          outcomes[index] = outcome;
          missing -= 1;
          if (missing === 0) finish(outcomes);
        }),
      );
      const giveUp = (): void => finish(undefined);
      const timer = setTimeout(giveUp, timeoutMs);
      this.#giveUps.add(giveUp);
    });
  }

  /** Lets all go that wait, and nobody wait any more. */
  end(): void {
    this.#ended = true;
    for (const giveUp of [...this.#giveUps]) giveUp();
  }
}
