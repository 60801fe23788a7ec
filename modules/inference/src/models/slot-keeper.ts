import { join } from 'node:path';
import type { ModelIdentity } from '@holdfast/contracts';
import { compareVersions } from '@holdfast/model-bundle';
import type { Clock, Log } from '@holdfast/module-host';
import type { Registry } from 'prom-client';
import { digestsInUse, remember, restore, wantedAgain } from '../domain/remembered.ts';
import { NO_SLOTS, roleOf, type Slots, type Wanted } from '../domain/slot.ts';
import type { Effect, SlotEvent } from '../domain/slot-events.ts';
import { reduce } from '../domain/slots.ts';
import { ModelCounts } from './model-counts.ts';
import { ModelJobs } from './model-jobs.ts';
import { ModelMemory } from './model-memory.ts';
import { ModelStore } from './model-store.ts';
import { entriesOf } from './model-view.ts';
import { MOUNTED } from './models-setting.ts';
import { NotTaken, type Preparing } from './prepare-model.ts';
import type { SetModel } from './set-model.ts';

/** Pause after a failed try, in ms: doubles from the first to the second. A folder in place is looked at as often. */
const RETRY_MS_MIN = 5_000;
const RETRY_MS_MAX = 600_000;
const RETRY_MS_IN_PLACE = 30_000;

/**
 * How long a model that was replaced can still be given runs, in ms: whoever looked it up just before, and reads the
 * body of a request meanwhile, must be answered by the version that it was told.
 */
const GRACE_MS = 2_000;

/** Loads of one bundle in which the process ended, after which it is not tried again. */
const UNFINISHED_LOADS_MAX = 3;

export interface SlotKeeperOptions<Model extends SetModel>
  extends Pick<Preparing, 'fetch' | 'verify' | 'budget'> {
  /** Folder for the bundles and `models.json`; the module's data folder. */
  dataDir: string;
  load(...args: Parameters<Preparing['load']>): Promise<Model>;
  log: Log;
  clock: Clock;
  metrics: Registry;
  /** Bytes of bundles on disk that nothing needs at the moment. */
  spareBytes(): number;
  /** 0 to 1, for the pauses between tries. */
  random?(): number;
  /** @default see RETRY_MS_MIN and RETRY_MS_IN_PLACE */
  retryMs?: number;
  /** @default 2 s */
  graceMs?: number;
  /** Another model, or none, serves somewhere, or one counts as something else. */
  onChange(): void;
}

/**
 * Does what the state machine in `domain/slots.ts` says: runs its jobs, closes what drains, waits to try again, and
 * keeps on disk what a restart must know. Each event changes the slots at once, between two turns of the event loop.
 */
export class SlotKeeper<Model extends SetModel> {
  readonly counts: ModelCounts;
  /** Loaded models, by the job that loaded them. */
  readonly models = new Map<number, Model>();
  readonly #options: SlotKeeperOptions<Model>;
  readonly #memory: ModelMemory;
  readonly #store: ModelStore;
  readonly #jobs: ModelJobs;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #waiting = new Set<() => void>();
  #slots: Slots = NO_SLOTS;
  #serving = '';
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SlotKeeperOptions<Model>) {
    const { dataDir, log, clock, metrics } = options;
    this.#options = options;
    this.#memory = new ModelMemory(join(dataDir, 'models.json'), log);
    this.#store = new ModelStore(join(dataDir, 'models'));
    this.counts = new ModelCounts(metrics, () => entriesOf(this.#slots, this.models));
    this.#jobs = new ModelJobs(
      {
        store: this.#store,
        fetch: options.fetch,
        verify: options.verify,
        load: options.load,
        budget: options.budget,
        lastVersion: (name) => this.#lastVersion(name),
        monotonicMs: () => clock.monotonicMs(),
        rssBytes: () => process.memoryUsage.rss(),
        onBytes: (bytes) => this.counts.fetched(bytes),
        loadBegins: (identity) => this.#loadBegins(identity),
        loadEnds: ({ digest }) => this.#memory.loadEnds(digest),
      },
      {
        step: ({ slot, job }, state, more) => this.do({ kind: 'step', slot, job, state, ...more }),
        done: ({ slot, job }, model, seconds) => {
          this.counts.loaded(seconds);
          this.models.set(job, model as Model);
          this.do({ kind: 'done', slot, job, identity: model.identity });
          const { identity, signedBy, manifest } = model;
          log.info('Model loaded', { slot, ...identity, rows: manifest.inputs.rows, signedBy });
        },
        failed: (job, error) => this.#failed(job, error),
      },
    );
  }

  get slots(): Slots {
    return this.#slots;
  }
  /** Slots that were reported once and are no more. */
  get gone(): readonly string[] {
    return this.#memory.gone;
  }

  /**
   * Loads what served last, and begins with what the twin wants. A twin that was never heard (`spoken` is false) takes
   * no model away that it named before. Resolves when all that needs no network was tried.
   */
  async start(wanted: Readonly<Record<string, Wanted>>, spoken: boolean): Promise<void> {
    this.#slots = restore(this.#memory.slots, this.#options.clock.wallMs());
    const again = wantedAgain(this.#memory.slots);
    const named = Object.keys(again).some((name) => name !== MOUNTED);
    this.do({ kind: 'want', wanted: spoken || !named ? wanted : again });
    this.sweep();
    await this.until(() => {
      const busy = [...this.#slots.byName.values()].filter(({ job }) => job !== undefined);
      return !busy.some(
        ({ job, current, next }) =>
          (job?.of === 'current' && current?.state !== 'fetching') || next?.source.inPlace,
      );
    });
  }

  /** Ends all jobs and closes all models. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    for (const wake of this.#waiting) wake();
    await this.#jobs.close();
    await this.#sweeping;
    await Promise.all([...this.models.values()].map((model) => model.close()));
  }

  do(event: SlotEvent): void {
    if (this.#closed) return;
    const { slots, effects } = reduce(this.#slots, event, this.#options.clock.wallMs());
    this.#slots = slots;
    const kept = this.#memory.keep(remember(slots));
    for (const effect of effects) this.#apply(effect);
    if (kept && effects.some(({ kind }) => kind === 'swapped' || kind === 'drain')) this.sweep();
    const serving = servingIn(slots);
    const changed = serving !== this.#serving;
    this.#serving = serving;
    if (changed) this.#options.onChange();
    for (const wake of this.#waiting) wake();
  }

  #apply(effect: Effect): void {
    switch (effect.kind) {
      case 'start': {
        const served = this.#slots.byName.get(effect.slot)?.job?.of !== 'next';
        void this.#jobs.start(effect, served);
        return;
      }
      case 'cancel':
        this.#jobs.cancel(effect.job);
        return;
      case 'drain':
        this.#drain(effect);
        return;
      case 'later':
        this.#later(effect);
        return;
      case 'swapped':
        this.counts.swapped(effect.slot);
    }
  }

  #drain({ slot, load }: { slot: string; load: number }): void {
    const model = this.models.get(load)!;
    const timer = setTimeout(() => {
      void model.close().finally(() => {
        this.models.delete(load);
        this.do({ kind: 'drained', slot, load });
      });
    }, this.#options.graceMs ?? GRACE_MS);
    timer.unref();
  }

  #later({ slot, tries }: { slot: string; tries: number }): void {
    if (this.#timers.has(slot)) return;
    const { current, next } = this.#slots.byName.get(slot)!;
    const inPlace = (current?.state === 'failed' ? current : next)?.source.inPlace ?? false;
    const pause = inPlace
      ? RETRY_MS_IN_PLACE
      : Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (tries - 1)) *
        (0.5 + (this.#options.random?.() ?? 0.5));
    const timer = setTimeout(() => {
      this.#timers.delete(slot);
      this.do({ kind: 'retry', slot });
    }, this.#options.retryMs ?? pause);
    timer.unref();
    this.#timers.set(slot, timer);
  }

  #failed({ slot, job }: { slot: string; job: number }, error: NotTaken): void {
    const { code, message: reason, again } = error;
    const { log } = this.#options;
    const before = this.#slots.byName.get(slot);
    const known = (before?.current?.reason ?? before?.next?.reason) === reason;
    const kind = again ? 'failed' : 'refused';
    if (again) this.counts.failed(code);
    else this.counts.refused(code);
    const serves = [...this.models.values()].length > 0;
    this.do({ kind, slot, job, code, reason });
    if (known) return;
    if (!serves)
      log.error('There is no usable model, rows stay unscored', { slot, problem: reason });
    else log.error('The model could not be loaded, the one in use stays', { slot, code, reason });
  }

  /** The newest, where several slots have the model. */
  #lastVersion(name: string): string | undefined {
    return [...this.#slots.byName.values()]
      .flatMap(({ current }) =>
        current?.identity?.name === name ? [current.identity.version] : [],
      )
      .sort(compareVersions)
      .at(-1);
  }

  #loadBegins({ digest }: ModelIdentity): void {
    const loads = this.#memory.unfinishedLoads(digest);
    if (loads >= UNFINISHED_LOADS_MAX) {
      const reason = `the process ended ${loads} times while this model was being loaded`;
      this.#memory.loadEnds(digest);
      throw new NotTaken('LOAD_ENDS_PROCESS', reason, false);
    }
    this.#memory.loadBegins(digest);
  }

  /** Removes from the disk what nothing needs; never while a job may be about to use it. */
  sweep(): void {
    this.#sweeping = this.#sweeping.then(async () => {
      // A bundle that comes without a digest is not in use by name yet.
      const unknown = [...this.#slots.byName.values()].some(
        ({ job, next, current }) => job && (next ?? current)?.source.digest === undefined,
      );
      if (this.#closed || unknown) return;
      try {
        const inUse = digestsInUse(this.#slots);
        this.counts.swept(await this.#store.sweep(inUse, this.#options.spareBytes()));
      } catch (error) {
        const { message } = error as Error;
        this.#options.log.warn('Old models could not be removed from the disk', { message });
      }
    });
  }

  /** Resolves when the condition holds, or when the set is closed. */
  until(condition: () => boolean): Promise<void> {
    if (condition() || this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        if (!condition() && !this.#closed) return;
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}

/** Which models serve where and as what, to see whether that has changed. */
const servingIn = ({ byName }: Slots): string =>
  JSON.stringify(
    [...byName.values()].map((slot) => [slot.name, roleOf(slot), slot.share, slot.current?.load]),
  );
