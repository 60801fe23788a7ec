import { MESSAGE_BYTES_MAX, type ScoresMessage } from '@holdfast/contracts';
import type { ModuleHost } from '@holdfast/module-host';
import { splitScores } from './domain/split.ts';

type Send = ModuleHost<unknown, unknown>['send'];

/** Pause before a failed send is tried again in ms: doubles from the first to the second. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;

/** Sends scores, each stream's in the order in which places were taken. */
export class ScoresSender {
  readonly #send: Send;
  readonly #tails = new Map<string, Promise<void>>();
  #stopped = false;
  readonly #wake = new Set<() => void>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Takes the next place in the stream's order; `leave` must be called whatever happens. */
  enter(stream: string): { turn: Promise<void>; leave(): void } {
    const turn = this.#tails.get(stream) ?? Promise.resolve();
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const tail = turn.then(() => left);
    this.#tails.set(stream, tail);
    void tail.then(() => {
      if (this.#tails.get(stream) === tail) this.#tails.delete(stream);
    });
    return { turn, leave };
  }

  /** Sends until the hub has it; a message too large goes as two. @throws what can never succeed, and after `stop` */
  async send(message: ScoresMessage): Promise<void> {
    const body = JSON.stringify(message);
    if (tooLarge(body)) {
      const halves = splitScores(message);
      if (halves !== undefined) {
        await this.send(halves[0]);
        await this.send(halves[1]);
        return;
      }
    }
    const { stream, epoch, first, last } = message;
    for (let pause = PAUSE_MS_MIN; ; pause = Math.min(PAUSE_MS_MAX, pause * 2)) {
      try {
        await this.#send({
          output: 'scores',
          body,
          properties: { kind: 'scores', v: '1', stream },
          messageId: `scores/${stream}/${epoch}/${first}-${last}`,
        });
        return;
      } catch (error) {
        if (this.#stopped || (error as { retry?: string }).retry === 'never') throw error;
        await this.#pause(pause);
      }
    }
  }

  /** Lets nothing wait any longer. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wake) wake();
  }

  #pause(ms: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wake.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wake.add(wake);
    });
  }
}

/** A character is at most three bytes of UTF-8, so most messages need no counting. */
const tooLarge = (body: string): boolean =>
  body.length * 3 > MESSAGE_BYTES_MAX && Buffer.byteLength(body) > MESSAGE_BYTES_MAX;
