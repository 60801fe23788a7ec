import { setTimeout as pause } from 'node:timers/promises';
import type { Refusal } from '../../forwarder/http-gate.ts';
import { mustHold, type Round, type Scenario } from '../scenario.ts';
import { exactlyOnce } from './exactly-once.ts';
import { withHttp } from './with-store.ts';

/** Requests that were on their way when the store asked for peace, in ms; a timer may also fire a little early. */
const ON_THE_WAY_MS = 150;

/** A store that asks for peace now and then, and says for how long in both forms that HTTP has. */
class BusyStore {
  storms = 0;
  refusals = 0;
  /** The first request that came too early, as a sentence. */
  broken: string | undefined;
  #peaceSinceMs = 0;
  #peaceUntilMs = 0;
  #left = 0;
  readonly #random: Round['random'];

  constructor(random: Round['random']) {
    this.#random = random;
  }

  /** The next requests are refused: so many, each time with a new wish. */
  storm(): void {
    this.storms++;
    this.#left = this.#random.int(1, 3);
  }

  answer(): Refusal | undefined {
    const nowMs = performance.now();
    const early = this.#peaceUntilMs - nowMs;
    if (early > 50 && nowMs > this.#peaceSinceMs + ON_THE_WAY_MS) {
      this.broken ??= `a request came ${Math.round(early)} ms before Retry-After was over`;
    }
    if (this.#left === 0) return undefined;
    this.#left--;
    this.refusals++;
    const seconds = this.#random.int(1, 2);
    this.#peaceSinceMs = nowMs;
    this.#peaceUntilMs = Math.max(this.#peaceUntilMs, nowMs + seconds * 1000);
    return { status: 503, code: 'ServerBusy', headers: this.#wish(seconds) };
  }

  /** As seconds, or as a date by a clock of its own that is hours off. */
  #wish(seconds: number): Record<string, string> {
    if (this.#random.chance(0.5)) return { 'retry-after': String(seconds) };
    // Dates have whole seconds: the store's clock stands at the beginning of one.
    const storeMs = Math.floor(Date.now() / 1000) * 1000 + this.#random.int(-9, 9) * 3_600_000;
    const date = (ms: number): string => new Date(ms).toUTCString();
    return { date: date(storeMs), 'retry-after': date(storeMs + seconds * 1000) };
  }
}

/** Storms of 503. */
export const busy: Scenario = {
  name: 'links-503',
  topic: 'links',
  fault:
    'Storage answers 503 in storms, with Retry-After as seconds or as a date by a clock that is hours off, while scores keep coming, somebody asks for a flush all the time, and other requests are cut.',
  holds:
    'No request comes before Retry-After is over, whoever asks for it; afterwards delivery goes on and every record is in exactly one blob.',
  plants: [
    {
      name: 'retry-after-ignored',
      file: 'modules/forwarder/src/adapters/upload-failure.ts',
      find: 'if (asked === undefined) return undefined;',
      replace: 'return undefined;',
    },
    {
      name: 'shortened-by-another-failure',
      file: 'modules/forwarder/src/link.ts',
      find: 'Math.max(this.#askedUntilMs, nowMs + askedMs)',
      replace: 'nowMs + askedMs',
    },
    {
      name: 'flush-does-not-wait',
      file: 'modules/forwarder/src/link.ts',
      find: 'Math.max(this.#pausedUntilMs, this.#askedUntilMs);',
      replace: 'this.#pausedUntilMs;',
    },
    {
      name: 'date-by-our-clock',
      file: 'modules/forwarder/src/adapters/upload-failure.ts',
      find: 'const nowMs = Number.isFinite(storeMs) ? storeMs : Date.now();',
      replace: 'const nowMs = Date.now();',
    },
  ],
  run: (round) =>
    withHttp(round, {}, async ({ forwarder, gate, store }) => {
      const { random } = round;
      const shop = new BusyStore(random);
      gate.refuse = () => shop.answer();
      gate.loseAnswer = () => random.chance(0.1);
      let asked = 0;
      let flushing = true;
      const flusher = (async () => {
        for (; flushing; asked++) {
          // Ends with the process when a check has failed.
          await forwarder.flush().catch(() => {});
          await pause(50);
        }
      })();
      try {
        for (let i = 0; i < (round.size === 'short' ? 3 : 25) && !round.signal.aborted; i++) {
          shop.storm();
          await forwarder.apply(random.int(300, 900));
          await pause(random.int(1_500, 3_000));
          mustHold(shop.broken === undefined, shop.broken ?? '');
        }
      } finally {
        flushing = false;
        await flusher;
      }
      await forwarder.drain(30_000);
      mustHold(shop.broken === undefined, shop.broken ?? '');
      const { storms, refusals } = shop;
      return { storms, refusals, flushes: asked, ...(await exactlyOnce(forwarder, store.port)) };
    }),
};
