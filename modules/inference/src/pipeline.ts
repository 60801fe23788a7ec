import {
  checkReadings,
  type DemandsMessage,
  describeProblems,
  lookbackOf,
  type Problem,
  type ReadingsMessage,
  type ScoresMessage,
} from '@holdfast/contracts';
import type { Clock, Log, ModuleHost } from '@holdfast/module-host';
import type { Settings } from './config.ts';
import type { Counts, DropReason } from './counts.ts';
import { batchProblems } from './domain/batch-rules.ts';
import { largestLookback } from './domain/route-models.ts';
import { codeOf } from './errors.ts';
import { composeNotes } from './notes.ts';
import { otherModelsIn } from './rollout/domain/score-roles.ts';
import type { Route, Routed } from './rollout/route.ts';
import { type Beside, ScoresSender } from './sender.ts';
import { Turns } from './turns.ts';

export interface PipelineOptions {
  settings: Settings;
  send: ModuleHost<unknown, unknown>['send'];
  clock: Clock;
  log: Log;
  counts: Counts;
  /** Which models score a batch, and with what they are compared. */
  route: Pick<Route, 'roles' | 'score'>;
}

/** A message as it waits. */
interface Accepted {
  body: Buffer;
  lost: string | undefined;
}

/**
 * Readings in, scores out: queue, check, windows, model, message, send. Holds what it works on in memory only: a
 * batch that is lost with the process, or dropped here, has no receipt and comes again from ingest.
 */
export class InferencePipeline {
  settings: Settings;
  readonly #options: PipelineOptions;
  readonly #sender: ScoresSender;
  readonly #turns = new Turns();
  #queue: Accepted[] = [];
  #active = 0;
  #stopped = false;
  #demandedMs = Number.NEGATIVE_INFINITY;
  #whenIdle: (() => void)[] = [];

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.settings = options.settings;
    this.#sender = new ScoresSender(options.send, () => this.#turns.next());
  }

  /** Batches not yet sent. */
  get queued(): number {
    return this.#queue.length + this.#active;
  }

  /** Takes a message: its body, and its property `lost`, which goes on as it came. It counts as acknowledged from here on; the receipt comes from the far end. */
  accept(body: Buffer, lost?: string): void {
    this.#queue.push({ body, lost });
    while (this.#queue.length > this.settings.queueBatchesMax) {
      this.#queue.shift();
      this.#options.counts.drop('overflow');
    }
    this.#startNext();
  }

  /**
   * Tells ingest how many earlier rows the models need, canaries and shadows too. Never rejects: the next batch without
   * them asks again.
   */
  async demand(): Promise<void> {
    const { actives, canaries, shadows } = this.#options.route.roles;
    const model = largestLookback([...actives, ...canaries, ...shadows])?.model;
    if (model === undefined || lookbackOf(model.manifest) === 0) return;
    this.#demandedMs = this.#options.clock.monotonicMs();
    const message: DemandsMessage = {
      v: 1,
      kind: 'demands',
      model: model.identity,
      lookback: lookbackOf(model.manifest),
    };
    const properties = { kind: 'demands', v: '1' };
    try {
      await this.#options.send({ output: 'demands', body: JSON.stringify(message), properties });
    } catch (error) {
      this.#options.log.debug('A demand could not be sent', { code: codeOf(error) });
    }
  }

  /** Resolves when nothing is queued and nothing is under way. */
  idle(): Promise<void> {
    if (this.queued === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** Drops what waits, which comes again, and lets what is under way end. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const _ of this.#queue) this.#options.counts.drop('stopped');
    this.#queue = [];
    this.#sender.stop();
    await this.idle();
  }

  /** Starts as many batches as may be worked on at once, oldest first. */
  #startNext(): void {
    while (this.#queue.length > 0 && this.#active < this.settings.batchesAtOnce) {
      const accepted = this.#queue.shift()!;
      this.#active += 1;
      void this.#process(accepted).finally(() => {
        this.#active -= 1;
        this.#startNext();
        if (this.queued === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
      });
    }
  }

  /** The way of one batch, top to bottom. Never rejects. */
  async #process({ body, lost }: Accepted): Promise<void> {
    const { clock, counts, log } = this.#options;
    // Turns come in order, so batches are read in the order in which they arrived.
    await this.#turns.next();
    const startMs = clock.monotonicMs();
    const batch = this.#read(body);
    if (batch === undefined) return;
    const { turn, leave } = this.#sender.enter(batch.stream);
    try {
      const routed = await this.#score(batch);
      if (routed === undefined) return;
      const { message: scores } = routed;
      counts.composed((clock.monotonicMs() - startMs) / 1_000);
      await turn;
      await this.#sender.send(scores, this.#beside(routed, lost));
      counts.sent(rowsOf(scores));
    } catch (error) {
      this.#drop(this.#stopped ? 'stopped' : 'send-failed');
      if (!this.#stopped) {
        const { stream, first, last } = batch;
        const { message } = error as Error;
        log.error('Scores could not be sent', {
          stream,
          first,
          last,
          code: codeOf(error),
          message,
        });
      }
    } finally {
      leave();
    }
  }

  #read(body: Buffer): ReadingsMessage | undefined {
    let problems: readonly Problem[];
    try {
      const checked = checkReadings(JSON.parse(body.toString('utf8')));
      problems = checked.ok ? batchProblems(checked.value) : checked.problems;
      if (checked.ok && problems.length === 0) return checked.value;
    } catch (error) {
      problems = [{ path: '', allowed: `is not JSON: ${(error as Error).message}` }];
    }
    this.#drop('invalid');
    const text = describeProblems(problems);
    this.#options.log.warn('A batch of readings is not valid', { problems: text });
    return undefined;
  }

  /**
   * Undefined when the batch was made with too little lookback for an active model: a demand is sent and ingest sends it
   * again. A canary or shadow waits for its lookback meanwhile.
   */
  async #score(batch: ReadingsMessage): Promise<Routed | undefined> {
    const { route, clock } = this.#options;
    const active = largestLookback(route.roles.actives)?.model;
    if (active !== undefined && batch.lookback < lookbackOf(active.manifest)) {
      this.#drop('lookback');
      const sinceMs = clock.monotonicMs() - this.#demandedMs;
      if (sinceMs >= this.settings.demandEveryMs) void this.demand();
      return undefined;
    }
    const { windowsPerRunMax } = this.settings;
    const busy = this.#queue.length > 0;
    return route.score(batch, { windowsPerRunMax, turn: () => this.#turns.next(), busy });
  }

  /** What goes with the scores: models that are not the message's own. */
  #beside({ others }: Routed, lost: string | undefined): Beside {
    return {
      lost,
      models: (part) => otherModelsIn(part, others),
      notes: (_, models) => composeNotes({ models }, () => undefined),
    };
  }

  #drop(reason: DropReason): void {
    this.#options.counts.drop(reason);
  }
}

function rowsOf(scores: ScoresMessage): { scored: number; rejected: number; unscored: number } {
  const sum = (entries: readonly { seq: readonly number[] }[]): number =>
    entries.reduce((total, entry) => total + entry.seq.length, 0);
  return {
    scored: sum(scores.assets),
    rejected: scores.rejected.length,
    unscored: sum(scores.unscored),
  };
}
