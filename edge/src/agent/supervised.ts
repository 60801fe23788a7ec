import type { DeployedModule } from '../deployment/deployment.ts';
import type { EdgeEvent, ModuleState } from './edge-handle.ts';
import type { LogFile } from './log-file.ts';
import type { LogLine } from './log-lines.ts';
import { type ProcessSpec, RunningProcess } from './process-runner.ts';
import { afterExit, type RestartLimits } from './restart-policy.ts';

export interface SupervisedOptions {
  id: string;
  restartPolicy: DeployedModule['restartPolicy'];
  status: DeployedModule['status'];
  limits: RestartLimits;
  log: LogFile;
  /** Asked before each start, as ports and files may have changed. */
  spec(): Omit<ProcessSpec, 'onLine'>;
  onEvent(event: EdgeEvent): void;
  monotonicMs(): number;
}

/**
 * One module under supervision.
 * - waiting: `start` was not called; exits to running
 * - running: the process lives; exits to backoff, stopped or failed by its own end and the policy, to stopped by `stop`
 * - backoff: a timer runs; exits to running by the timer or `restart`, to stopped by `stop`
 * - stopped, failed: nothing runs; exits to running by `restart`
 */
export class Supervised {
  readonly id: string;
  state: ModuleState = 'waiting';
  restarts = 0;
  exitCode: number | undefined;
  /** Lines that could not be written to the log file. */
  linesLost = 0;
  readonly #options: SupervisedOptions;
  #process: RunningProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Restarts that count towards the limit of the policy. */
  #counted = 0;
  #startedMs = 0;

  constructor(options: SupervisedOptions) {
    this.id = options.id;
    this.#options = options;
    if (options.status === 'stopped') this.state = 'stopped';
  }

  get pid(): number | undefined {
    return this.state === 'running' ? this.#process?.pid : undefined;
  }

  /** First start; nothing for a module that the manifest keeps stopped. */
  start(): void {
    if (this.state === 'waiting') this.#run();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** As edgeAgent's RestartModule: also out of failed, and the count begins anew. */
  async restart(): Promise<void> {
    await this.stop();
    this.#counted = 0;
    this.restarts += 1;
    this.#run();
  }

  /** Ends the process if there is one; resolves when it is gone. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    const running = this.#process;
    this.state = 'stopped';
    if (running !== undefined) await running.stop();
  }

  #run(): void {
    const { spec, onEvent, monotonicMs } = this.#options;
    const onLine = (line: LogLine): void => {
      this.#keep(line);
      onEvent({ kind: 'line', id: this.id, line });
    };
    this.#startedMs = monotonicMs();
    const running = new RunningProcess({ ...spec(), onLine });
    this.#process = running;
    this.state = 'running';
    if (running.pid !== undefined) onEvent({ kind: 'started', id: this.id, pid: running.pid });
    void running.ended.then((exitCode) => this.#ended(running, exitCode));
  }

  /** A full disk must not end the supervisor and with it every module: the line is lost, and counted. */
  #keep(line: LogLine): void {
    try {
      this.#options.log.append(line);
    } catch (error) {
      this.linesLost += 1;
      if (this.linesLost > 1) return;
      const detail = `${this.id}: log lines are lost: ${(error as Error).message}`;
      this.#options.onEvent({ kind: 'warning', detail });
    }
  }

  #ended(running: RunningProcess, exitCode: number): void {
    if (this.#process !== running) return;
    this.#process = undefined;
    this.exitCode = exitCode;
    const { restartPolicy, limits, monotonicMs, onEvent } = this.#options;
    if (this.state !== 'running') {
      onEvent({ kind: 'ended', id: this.id, exitCode, next: this.state });
      return;
    }
    const next = afterExit(restartPolicy, limits, {
      exitCode,
      restarts: this.#counted,
      ranMs: monotonicMs() - this.#startedMs,
    });
    if (next.kind !== 'restart') {
      this.state = next.kind;
      onEvent({ kind: 'ended', id: this.id, exitCode, next: this.state });
      return;
    }
    this.state = 'backoff';
    this.#counted = next.restarts;
    onEvent({ kind: 'ended', id: this.id, exitCode, next: 'backoff', delayMs: next.delayMs });
    this.#timer = setTimeout(() => {
      this.restarts += 1;
      this.#run();
    }, next.delayMs);
  }
}
