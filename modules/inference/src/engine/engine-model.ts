import { performance } from 'node:perf_hooks';
import type { TensorDeclaration } from '@holdfast/model-bundle';
import { OnnxSession, type OnnxSessionOptions } from '../adapters/onnx-session.ts';
import { specOf } from '../adapters/onnx-types.ts';
import { JoinProof } from '../domain/join-proof.ts';
import type { ModelRunner, RunRequest, RunResult, WorkClass } from '../domain/model-runner.ts';
import type { Readiness } from '../domain/scheduler.ts';
import { RUN_FLOATS_MAX } from '../domain/score-batch.ts';
import type { TensorSpec } from '../domain/tensor.ts';
import { ScorerError } from '../errors.ts';
import { RoomPool } from './room-pool.ts';

/** What a model needs of the engine that it is part of. */
export interface ModelHost {
  submit(model: EngineModel, request: RunRequest): Promise<RunResult>;
  /** Rejects what waits for a model, and forgets it. */
  forget(model: EngineModel, error: ScorerError): void;
}

export interface EngineModelOptions {
  /** For status and metrics. */
  name: string;
  modelPath: string;
  /** A worker ended by itself and is started anew. */
  onRestart?(reason: string): void;
  /** No worker could be kept alive: every run fails from here on. */
  onLost?(reason: string): void;
}

/** A session and how many runs it was given that are not over. */
export interface Seat {
  readonly session: OnnxSession;
  runs: number;
}

/**
 * Runs given to a worker before the one in it is over hide the hop between the threads, but whoever comes next has to
 * wait for them: as many as take about this long, in ms, and for each class at most so many.
 */
const AHEAD_MS = 5;
const RUNS_MAX: Record<WorkClass, number> = { route: 4, http: 2, shadow: 1 };
const DRAIN_MS = 5_000;

/** One loaded model: its workers, and the way to run it. Memory comes back when it is closed. */
export class EngineModel implements ModelRunner {
  readonly name: string;
  readonly proof = new JoinProof();
  readonly declared: {
    readonly inputs: readonly TensorDeclaration[];
    readonly outputs: readonly TensorDeclaration[];
  };
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly key: number;
  readonly #host: ModelHost;
  readonly #seats: readonly Seat[];
  readonly #rooms: RoomPool;
  #underWay = 0;
  #whenIdle: (() => void)[] = [];
  #closing: Promise<void> | undefined;

  private constructor(
    options: EngineModelOptions & { key: number },
    host: ModelHost,
    sessions: readonly OnnxSession[],
    rooms: RoomPool,
  ) {
    this.name = options.name;
    this.key = options.key;
    this.#host = host;
    this.#rooms = rooms;
    this.#seats = sessions.map((session) => ({ session, runs: 0 }));
    const { inputs, outputs } = sessions[0]!;
    this.declared = { inputs, outputs };
    this.inputs = inputs.map((input) => mustBeSpec(input));
    // An output that is a sequence or a map does no harm as long as nobody asks for it.
    this.outputs = outputs.flatMap((output) => specOf(output) ?? []);
  }

  /** @throws ScorerError SCORER_UNAVAILABLE with what the runtime says */
  static async start(
    options: EngineModelOptions & { key: number },
    start: Pick<OnnxSessionOptions, 'workerUrl' | 'intraOpNumThreads'> & { workers: number },
    host: ModelHost,
  ): Promise<EngineModel> {
    const { workers, ...session } = start;
    const rooms = new RoomPool(RUN_FLOATS_MAX * Float32Array.BYTES_PER_ELEMENT);
    const sessions: OnnxSession[] = [];
    const lost = (reason: string) => {
      if (sessions.every(({ unavailable }) => unavailable !== undefined)) options.onLost?.(reason);
    };
    const started = await Promise.allSettled(
      Array.from({ length: workers }, () =>
        OnnxSession.start({
          ...session,
          modelPath: options.modelPath,
          onRestart: (reason) => options.onRestart?.(reason),
          onLost: lost,
          onBuffers: (buffers) => rooms.giveBack(buffers),
        }),
      ),
    );
    for (const result of started) if (result.status === 'fulfilled') sessions.push(result.value);
    try {
      for (const result of started) if (result.status === 'rejected') throw result.reason;
      return new EngineModel(options, host, sessions, rooms);
    } catch (error) {
      await Promise.all(sessions.map((each) => each.close()));
      throw error;
    }
  }

  get workers(): number {
    return this.#seats.filter(({ session }) => session.unavailable === undefined).length;
  }
  /** Workers that have something to do. */
  get busy(): number {
    return this.#seats.filter(({ runs }) => runs > 0).length;
  }

  /** Room for an input of so many bytes, not zeroed; give it to `run`. */
  room(bytes: number): ArrayBuffer {
    return this.#rooms.take(bytes);
  }

  async run(request: RunRequest): Promise<RunResult> {
    if (this.#closing !== undefined) {
      throw new ScorerError('SCORER_UNAVAILABLE', 'the model is closed');
    }
    this.#underWay += 1;
    try {
      return await this.#host.submit(this, request);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    }
  }

  /**
   * Takes no more runs, lets those that it was given end for `drainMs`, then fails what is left with
   * SCORER_UNAVAILABLE and ends the workers. Idempotent. @param options.drainMs default 5,000
   */
  close({ drainMs = DRAIN_MS }: { drainMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    if (this.#underWay > 0 && drainMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#whenIdle.push(resolve);
        timer = setTimeout(resolve, drainMs);
      });
      clearTimeout(timer);
    }
    this.#host.forget(this, new ScorerError('SCORER_UNAVAILABLE', 'the model is closed'));
    await Promise.all(this.#seats.map(({ session }) => session.close()));
  }

  /** The worker for the next run. @param runMs what a run takes */
  seat(work: WorkClass, runMs: number, slotFree: boolean): Seat | Exclude<Readiness, 'now'> {
    const alive = this.#seats.filter(({ session }) => session.unavailable === undefined);
    // With none left the run fails at once, with the reason.
    const seats = alive.length > 0 ? alive : this.#seats;
    const least = seats.reduce((a, b) => (b.runs < a.runs ? b : a));
    if (least.runs === 0 && slotFree) return least;
    const most = Math.min(RUNS_MAX[work], 1 + Math.floor(AHEAD_MS / Math.max(runMs, 0.001)));
    const ahead = seats.find(({ runs }) => runs > 0 && runs < most);
    return ahead ?? (least.runs === 0 ? 'no-slot' : 'later');
  }
}

/** @throws ScorerError when it cannot be carried */
function mustBeSpec(input: TensorDeclaration): TensorSpec {
  const spec = specOf(input);
  if (spec !== undefined) return spec;
  throw new ScorerError(
    'SCORER_UNAVAILABLE',
    `input "${input.name}" is of type ${input.type}, which cannot be given to a model here`,
  );
}

export const monotonicMs = (): number => performance.now();
