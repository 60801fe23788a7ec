import {
  LOST_PROPERTY,
  MESSAGE_BYTES_MAX,
  NOTES_PROPERTY,
  type OtherModel,
  type ScoresMessage,
  writeScoreNotes,
} from '@holdfast/contracts';
import type { ModuleHost } from '@holdfast/module-host';
import { splitScores } from './domain/split.ts';

type Send = ModuleHost<unknown, unknown>['send'];

/** What goes with scores as application properties. */
export interface Beside {
  /** The property of that name, as it came with the readings. */
  lost: string | undefined;
  /** Assets of a message, which may be a part of the batch, that another model than its own scored. */
  models?(part: ScoresMessage): OtherModel[];
  /** The property of that name for a message, which names these models; see `composeNotes`. */
  notes?(part: ScoresMessage, models: OtherModel[]): string | undefined;
}

/** Pause before a failed send is tried again in ms: doubles from the first to the second. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;

/** Sends scores, each stream's in the order in which places were taken. */
export class ScoresSender {
  readonly #send: Send;
  readonly #turn: () => Promise<void>;
  readonly #tails = new Map<string, Promise<void>>();
  #stopped = false;
  readonly #wake = new Set<() => void>();

  /** `turn` waits for a turn of the event loop, taken before a long message is written. */
  constructor(send: Send, turn: () => Promise<void>) {
    this.#send = send;
    this.#turn = turn;
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

  /**
   * Sends until the hub has it; a message too large, or with too many models to name, goes as two, each with the notes
   * of its own rows.
   * @throws what can never succeed, and after `stop`
   */
  async send(message: ScoresMessage, beside: Beside): Promise<void> {
    await this.#turn();
    const models = beside.models?.(message) ?? [];
    const cut = likelyTooLarge(message) || !areNameable(models);
    const body = cut ? undefined : JSON.stringify(message);
    if (body === undefined || tooLarge(body)) {
      const halves = splitScores(message);
      if (halves !== undefined) {
        await this.send(halves[0], beside);
        await this.send(halves[1], beside);
        return;
      }
    }
    const { lost } = beside;
    const notes = beside.notes?.(message, models);
    await this.#sendBody(message, body ?? JSON.stringify(message), {
      ...(lost === undefined ? {} : { [LOST_PROPERTY]: lost }),
      ...(notes === undefined ? {} : { [NOTES_PROPERTY]: notes }),
    });
  }

  async #sendBody(
    message: ScoresMessage,
    body: string,
    others: Record<string, string>,
  ): Promise<void> {
    const { stream, epoch, first, last } = message;
    const properties = { kind: 'scores', v: '1', stream, ...others };
    for (let pause = PAUSE_MS_MIN; ; pause = Math.min(PAUSE_MS_MAX, pause * 2)) {
      try {
        await this.#send({
          output: 'scores',
          body,
          properties,
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

/** Whether the names of the models fit into the notes of one message; of a single row they always do. */
const areNameable = (models: OtherModel[]): boolean =>
  models.length === 0 || writeScoreNotes({ models }) !== undefined;

/** Usual bytes of a scored row, and of a signal's share and value in it, in JSON. */
const ROW_BYTES = 32;
const ABOVE_BYTES = 14;

/** Saves writing a message that would only be cut in two; a wrong guess costs that much and nothing else. */
function likelyTooLarge({ assets }: ScoresMessage): boolean {
  let bytes = 0;
  for (const { seq, above } of assets) {
    bytes += seq.length * ROW_BYTES;
    if (above !== undefined) bytes += above.row.length * above.signals.length * ABOVE_BYTES;
  }
  return bytes > MESSAGE_BYTES_MAX;
}

/** A character is at most three bytes of UTF-8, so most messages need no counting. */
const tooLarge = (body: string): boolean =>
  body.length * 3 > MESSAGE_BYTES_MAX && Buffer.byteLength(body) > MESSAGE_BYTES_MAX;
