import { FairShare } from './fair-share.ts';
import type { WorkClass } from './model-runner.ts';
import { ServiceTimes } from './service-times.ts';

/** What waits: one request of a model. */
export interface Waiting {
  /** Of one loaded model. */
  readonly model: number;
  readonly work: WorkClass;
  readonly priority: number;
  /** Monotonic, ms. */
  readonly deadlineMs: number | undefined;
  /** First dimension of its inputs. */
  readonly rows: number;
  readonly bytes: number;
  /** Requests of the same key can be one run; undefined: it runs alone. */
  joinKey: string | undefined;
}

export interface SchedulerLimits {
  /** Weights of the two that share; shadow gets what they leave. */
  readonly weights: { readonly route: number; readonly http: number };
  /** Requests that may wait, for each class and model. */
  readonly requestsMax: number;
  /** Bytes of input that may wait, for each class; all classes together for shadow. */
  readonly bytesMax: number;
  /** Rows of requests that are joined into one run. */
  readonly joinRowsMax: number;
}

/** Whether a run of a model can begin: `later` when its own workers are full, `no-slot` when all slots are in use. */
export type Readiness = 'now' | 'later' | 'no-slot';

export type Offered<T> =
  | { readonly refused: false /** Shadow requests that had to make room. */; readonly shed: T[] }
  | { readonly refused: true; readonly retryAfterMs: number };

/** Requests that become one run. */
export interface Turn<T> {
  readonly items: readonly T[];
  /** What it was charged with. */
  readonly guessMs: number;
}

/** A request without a priority ranks as this; 1 is the most urgent. */
const PRIORITY_DEFAULT = 2;
/** Service that a class or model keeps as its due while it has nothing to do for a moment, in ms. */
const CREDIT_MS = 20;
const CLASSES: readonly WorkClass[] = ['route', 'http', 'shadow'];

interface Queue<T> {
  readonly model: number;
  readonly work: WorkClass;
  /** Most urgent first, then oldest first. */
  readonly items: T[];
}

/**
 * Decides which request runs next. Route and HTTP share the runs by weight, in time; within a class the most urgent
 * goes first, then the models take turns, again in time. Shadow runs only while nothing else waits, and is dropped
 * first. Queues are bounded. Pure: the caller gives the time and says which models can run.
 */
export class Scheduler<T extends Waiting> {
  limits: SchedulerLimits;
  readonly times = new ServiceTimes();
  readonly #queues = new Map<string, Queue<T>>();
  readonly #classes = new FairShare<WorkClass>(CREDIT_MS);
  readonly #models: Record<WorkClass, FairShare<number>> = {
    route: new FairShare(CREDIT_MS),
    http: new FairShare(CREDIT_MS),
    shadow: new FairShare(CREDIT_MS),
  };
  readonly #bytes: Record<WorkClass, number> = { route: 0, http: 0, shadow: 0 };
  readonly #counts: Record<WorkClass, number> = { route: 0, http: 0, shadow: 0 };

  constructor(limits: SchedulerLimits) {
    this.limits = limits;
  }

  waiting(work: WorkClass): number {
    return this.#counts[work];
  }

  waitingFor(model: number): number {
    return CLASSES.reduce((sum, work) => sum + this.#queue(model, work).items.length, 0);
  }

  /** Takes a request in, or refuses it. @param slots runs at once, for the time that it would have to wait */
  offer(item: T, slots: number): Offered<T> {
    const { model, work, bytes } = item;
    const queue = this.#queue(model, work);
    const held =
      work === 'shadow'
        ? CLASSES.reduce((sum, each) => sum + this.#bytes[each], 0)
        : this.#bytes[work];
    // One that is larger than the limit by itself must be able to run some time.
    const tooLarge = held > 0 && held + bytes > this.limits.bytesMax;
    if (queue.items.length >= this.limits.requestsMax || tooLarge) {
      return { refused: true, retryAfterMs: this.waitMs(work, slots) };
    }
    this.#insert(queue, item);
    return { refused: false, shed: work === 'shadow' ? [] : this.#shed() };
  }

  /** How long a request of this class that comes now would wait, in ms, by what runs took until now. */
  waitMs(work: WorkClass, slots: number): number {
    let ms = 0;
    for (const queue of this.#queues.values()) {
      if (queue.work === work) ms += queue.items.length * this.times.requestMs(queue.model);
    }
    return Math.max(1, Math.ceil(ms / slots / this.#share(work)));
  }

  /** Of the runs, while the others that wait now go on waiting. */
  #share(work: WorkClass): number {
    if (work === 'shadow') return 1;
    const other = work === 'route' ? 'http' : 'route';
    const { weights } = this.limits;
    return this.#counts[other] === 0 ? 1 : weights[work] / (weights.route + weights.http);
  }

  /** What runs next, more than one where they can be joined. Undefined: nothing, or nothing that can run now. */
  take(ready: (model: number, work: WorkClass) => Readiness): Turn<T> | undefined {
    const shared = (['route', 'http'] as const).filter((work) => this.#counts[work] > 0);
    for (const work of [...this.#classes.order(shared), 'shadow' as const]) {
      for (const queue of this.#byUrgency(work)) {
        const readiness = ready(queue.model, work);
        if (readiness === 'later') continue;
        // It keeps its turn until a slot is free, or the ones with busy workers would be fed for ever.
        if (readiness === 'no-slot') return undefined;
        return this.#takeFrom(queue);
      }
    }
    return undefined;
  }

  /** Puts requests that ran together back, each to run alone before all others of its queue. */
  putBack(items: readonly T[]): void {
    for (const item of items.toReversed()) {
      item.joinKey = undefined;
      this.#insert(this.#queue(item.model, item.work), item, true);
    }
  }

  /** A run is over. @param ms what it took, where `take` could only guess; absent when it failed */
  settle({ items, guessMs }: Turn<T>, ms?: number): void {
    if (ms === undefined) return;
    const { model, work } = items[0]!;
    this.#charge(model, work, ms - guessMs);
    this.times.record(model, ms, items.length);
  }

  /** Takes out what has not begun by its deadline. */
  expire(nowMs: number): T[] {
    return this.#remove((item) => item.deadlineMs !== undefined && item.deadlineMs < nowMs);
  }

  /** The earliest deadline of all that wait. */
  get nextDeadlineMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { items } of this.#queues.values()) {
      for (const { deadlineMs } of items) next = Math.min(next, deadlineMs ?? next);
    }
    return next;
  }

  /** Takes out everything of a model that is gone. */
  forget(model: number): T[] {
    const removed = this.#remove((item) => item.model === model);
    for (const work of CLASSES) {
      this.#queues.delete(`${work} ${model}`);
      this.#models[work].forget(model);
    }
    this.times.forget(model);
    return removed;
  }

  #queue(model: number, work: WorkClass): Queue<T> {
    const key = `${work} ${model}`;
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = { model, work, items: [] };
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #insert(queue: Queue<T>, item: T, first = false): void {
    const { items, work, model } = queue;
    if (this.#counts[work] === 0) this.#classes.join(work);
    if (items.length === 0) this.#models[work].join(model);
    let at = first ? 0 : items.length;
    if (!first) while (at > 0 && rank(items[at - 1]!) > rank(item)) at -= 1;
    items.splice(at, 0, item);
    this.#counts[work] += 1;
    this.#bytes[work] += item.bytes;
  }

  #shed(): T[] {
    const shed: T[] = [];
    const total = () => CLASSES.reduce((sum, work) => sum + this.#bytes[work], 0);
    for (const queue of this.#queues.values()) {
      while (queue.work === 'shadow' && queue.items.length > 0 && total() > this.limits.bytesMax) {
        shed.push(...this.#cut(queue, 0));
      }
    }
    return shed;
  }

  #byUrgency(work: WorkClass): Queue<T>[] {
    const queues = [...this.#queues.values()].filter(
      (queue) => queue.work === work && queue.items.length > 0,
    );
    if (queues.length < 2) return queues;
    const order = this.#models[work].order(queues.map((queue) => queue.model));
    return queues.sort(
      (a, b) =>
        rank(a.items[0]!) - rank(b.items[0]!) || order.indexOf(a.model) - order.indexOf(b.model),
    );
  }

  #takeFrom(queue: Queue<T>): Turn<T> {
    const { model, work, items } = queue;
    const taken = this.#cut(queue, 0);
    const { joinKey } = taken[0]!;
    let { rows } = taken[0]!;
    for (let at = 0; joinKey !== undefined && at < items.length; ) {
      const item = items[at]!;
      if (item.joinKey === joinKey && rows + item.rows <= this.limits.joinRowsMax) {
        rows += item.rows;
        taken.push(...this.#cut(queue, at));
      } else at += 1;
    }
    const guessMs = this.times.runMs(model);
    this.#charge(model, work, guessMs);
    return { items: taken, guessMs };
  }

  #charge(model: number, work: WorkClass, ms: number): void {
    this.#models[work].charge(model, ms);
    if (work !== 'shadow') this.#classes.charge(work, ms / this.limits.weights[work]);
  }

  #cut(queue: Queue<T>, at: number): T[] {
    const cut = queue.items.splice(at, 1);
    this.#counts[queue.work] -= cut.length;
    for (const item of cut) this.#bytes[queue.work] -= item.bytes;
    return cut;
  }

  #remove(wanted: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (const queue of this.#queues.values()) {
      for (let at = queue.items.length - 1; at >= 0; at -= 1) {
        if (wanted(queue.items[at]!)) removed.push(...this.#cut(queue, at));
      }
    }
    return removed;
  }
}

const rank = ({ priority }: Waiting): number => (priority === 0 ? PRIORITY_DEFAULT : priority);
