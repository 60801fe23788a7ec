import type { SessionResult } from '../adapters/onnx-session.ts';
import { pack, unpack } from '../adapters/wire-tensor.ts';
import { areSame } from '../domain/join-proof.ts';
import { joinInputs, joinKeyOf, splitOutputs } from '../domain/joining.ts';
import type { RunRequest, RunResult } from '../domain/model-runner.ts';
import { Scheduler, type SchedulerLimits, type Turn, type Waiting } from '../domain/scheduler.ts';
import type { Tensor } from '../domain/tensor.ts';
import { codeOf, ScorerError } from '../errors.ts';
import type { EngineCounts } from './engine-counts.ts';
import { type EngineModel, monotonicMs, type Seat } from './engine-model.ts';

/** A request as it waits and runs. */
interface Job extends Waiting {
  readonly request: RunRequest;
  readonly outputs: readonly string[];
  readonly queuedNs: number;
  /** It was in a joined run that failed. */
  group?: Group;
  resolve(result: RunResult): void;
  reject(error: unknown): void;
}

/** Requests of a joined run that failed, now alone. */
interface Group {
  left: number;
  failed: boolean;
}

const nowNs = (): number => Number(process.hrtime.bigint());

/** Gives waiting requests to the workers, in the order of the scheduler, and the answers back. */
export class Dispatcher {
  readonly scheduler: Scheduler<Job>;
  slots = 1;
  readonly #models = new Map<number, EngineModel>();
  readonly #counts: EngineCounts;
  readonly #onBroken: (model: EngineModel, reason: string) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    limits: SchedulerLimits;
    counts: EngineCounts;
    /** Requests of a model turned out not to be joinable. */
    onBroken(model: EngineModel, reason: string): void;
  }) {
    this.scheduler = new Scheduler(options.limits);
    this.#counts = options.counts;
    this.#onBroken = options.onBroken;
  }

  get models(): EngineModel[] {
    return [...this.#models.values()];
  }

  add(model: EngineModel): void {
    this.#models.set(model.key, model);
  }

  forget(model: EngineModel, error: ScorerError): void {
    for (const job of this.scheduler.forget(model.key)) this.#refuse(job, error, 'closed');
    this.#models.delete(model.key);
  }

  /** The request must be valid for the model. */
  submit(model: EngineModel, request: RunRequest): Promise<RunResult> {
    return new Promise((resolve, reject) => {
      const outputs = request.outputs ?? model.outputs.map(({ name }) => name);
      const job: Job = {
        model: model.key,
        work: request.work,
        priority: request.priority ?? 0,
        deadlineMs: request.deadlineMs,
        rows: request.inputs[0]?.shape[0] ?? 1,
        bytes: request.inputs.reduce((sum, { data }) => sum + bytesOf(data), 0),
        // Of route and shadow each request is a batch already, and its scores shall not hang on who else was there.
        joinKey:
          request.work === 'http' && model.proof.broken === undefined
            ? joinKeyOf(model, request, outputs)
            : undefined,
        request,
        outputs,
        queuedNs: nowNs(),
        resolve,
        reject,
      };
      const offered = this.scheduler.offer(job, this.slots);
      if (offered.refused) {
        const { retryAfterMs } = offered;
        const full = new ScorerError('QUEUE_FULL', 'too many requests wait for this model', {
          retryAfterMs,
        });
        this.#refuse(job, full, 'queue-full');
        return;
      }
      for (const shed of offered.shed) {
        const full = new ScorerError('QUEUE_FULL', 'other work needed the room', {
          retryAfterMs: this.scheduler.waitMs('shadow', this.slots),
        });
        this.#refuse(shed, full, 'shed');
      }
      this.#pump();
    });
  }

  #pump(): void {
    for (const job of this.scheduler.expire(monotonicMs())) {
      const late = new ScorerError('DEADLINE', 'the request had not begun when its time was over');
      this.#refuse(job, late, 'deadline');
    }
    for (;;) {
      let seat: Seat | undefined;
      const turn = this.scheduler.take((key, work) => {
        const model = this.#models.get(key)!;
        const found = model.seat(work, this.scheduler.times.runMs(key), this.#used() < this.slots);
        if (typeof found === 'string') return found;
        seat = found;
        return 'now';
      });
      if (turn === undefined || seat === undefined) break;
      void this.#execute(turn, seat);
    }
    this.#armDeadline();
  }

  #used(): number {
    let used = 0;
    for (const model of this.#models.values()) used += model.busy;
    return used;
  }

  #armDeadline(): void {
    clearTimeout(this.#timer);
    const nextMs = this.scheduler.nextDeadlineMs;
    if (nextMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.max(1, Math.min(Math.ceil(nextMs - monotonicMs()) + 1, 0x7fffffff));
    this.#timer = setTimeout(() => this.#pump(), waitMs);
    this.#timer.unref();
  }

  /** Never rejects. */
  async #execute(turn: Turn<Job>, seat: Seat): Promise<void> {
    seat.runs += 1;
    let ms: number | undefined;
    try {
      ms =
        turn.items.length === 1
          ? await this.#one(turn.items[0]!, seat)
          : await this.#joined(turn.items, seat);
    } finally {
      seat.runs -= 1;
      this.scheduler.settle(turn, ms);
      this.#pump();
    }
  }

  /** Runs a request by itself. @returns what it took in ms, undefined when it failed */
  async #one(job: Job, seat: Seat): Promise<number | undefined> {
    try {
      const result = await this.#alone(job, seat);
      this.#endOfGroup(job, false);
      this.#answer(job, result, result.outputs.map(unpack), job.rows);
      return msOf(result);
    } catch (error) {
      this.#endOfGroup(job, true);
      this.#fail(job, error);
      return undefined;
    }
  }

  #alone(job: Job, { session }: Seat): Promise<SessionResult> {
    return session.run(job.request.inputs.map(pack), job.outputs);
  }

  async #joined(jobs: readonly Job[], seat: Seat): Promise<number | undefined> {
    const { proof } = this.#models.get(jobs[0]!.model)!;
    const inputs = jobs.map(({ request }) => inSameOrder(request.inputs, jobs[0]!.request.inputs));
    const same = !proof.proven && areSame(inputs);
    let result: SessionResult;
    try {
      result = await seat.session.run(joinInputs(inputs).map(pack), jobs[0]!.outputs);
    } catch (error) {
      if (codeOf(error) === 'SCORER_UNAVAILABLE') for (const job of jobs) this.#fail(job, error);
      else this.#separate(jobs);
      return undefined;
    }
    const rows = jobs.map((job) => job.rows);
    const parts = splitOutputs(result.outputs.map(unpack), rows);
    if (parts === undefined) {
      proof.misshapen();
      this.#broken(jobs[0]!);
      this.#separate(jobs, false);
      return msOf(result);
    }
    proof.fault(false);
    if (proof.isNeeded(same)) return this.#prove(jobs, seat, parts, same);
    const total = rows.reduce((sum, count) => sum + count, 0);
    for (const [index, job] of jobs.entries()) this.#answer(job, result, parts[index]!, total);
    return msOf(result);
  }

  /** Each request alone, as it would have been without joining: that is its answer. */
  async #prove(
    jobs: readonly Job[],
    seat: Seat,
    joined: readonly Tensor[][],
    same: boolean,
  ): Promise<number | undefined> {
    const { proof } = this.#models.get(jobs[0]!.model)!;
    const alone: Tensor[][] = [];
    let ms = 0;
    for (const job of jobs) {
      try {
        const result = await this.#alone(job, seat);
        const outputs = result.outputs.map(unpack);
        ms += msOf(result);
        alone.push(outputs);
        this.#answer(job, result, outputs, job.rows);
      } catch (error) {
        this.#fail(job, error);
      }
    }
    if (alone.length < jobs.length) return ms;
    proof.compare(joined, alone, same);
    this.#broken(jobs[0]!);
    return ms;
  }

  /** A joined run failed: its requests run alone, so that a bad one costs only itself. */
  #separate(jobs: readonly Job[], blameJoining = true): void {
    const group: Group = { left: jobs.length, failed: false };
    if (blameJoining) for (const job of jobs) job.group = group;
    this.#counts.separated();
    this.scheduler.putBack(jobs);
  }

  #endOfGroup({ group, model }: Job, failed: boolean): void {
    if (group === undefined) return;
    group.left -= 1;
    group.failed ||= failed;
    const found = this.#models.get(model);
    if (group.left > 0 || found === undefined || found.proof.broken !== undefined) return;
    found.proof.fault(!group.failed);
    if (found.proof.broken !== undefined) this.#onBroken(found, found.proof.broken);
  }

  #broken({ model }: Job): void {
    const found = this.#models.get(model);
    if (found?.proof.broken !== undefined) this.#onBroken(found, found.proof.broken);
  }

  #answer(job: Job, { times }: SessionResult, outputs: readonly Tensor[], batch: number): void {
    const { startNs, inputNs, inferNs, outputNs } = times;
    const queueNs = Math.max(0, startNs - job.queuedNs);
    this.#counts.ran(job.work, queueNs / 1e9, (inputNs + inferNs + outputNs) / 1e9, batch);
    job.resolve({ outputs, timing: { queueNs, inputNs, inferNs, outputNs }, batch });
  }

  #fail(job: Job, error: unknown): void {
    // What cannot even be sent to the worker is the fault of this request.
    const known = codeOf(error)?.startsWith('RUN_') || codeOf(error) === 'SCORER_UNAVAILABLE';
    const { message } = error as Error;
    const failure = known ? error : new ScorerError('RUN_FAILED', message, { cause: error });
    this.#counts.failed(job.work, codeOf(failure) ?? 'RUN_FAILED');
    job.reject(failure);
  }

  #refuse(job: Job, error: ScorerError, reason: string): void {
    this.#counts.refused(job.work, reason);
    job.reject(error);
  }
}

const msOf = ({ times }: SessionResult): number =>
  (times.inputNs + times.inferNs + times.outputNs) / 1e6;

const bytesOf = (data: Tensor['data']): number =>
  Array.isArray(data)
    ? data.reduce((sum: number, element: Uint8Array) => sum + element.length, 0)
    : (data as Uint8Array).byteLength;

const inSameOrder = (inputs: readonly Tensor[], order: readonly Tensor[]): Tensor[] =>
  order.map((first) => inputs.find(({ name }) => name === first.name)!);
