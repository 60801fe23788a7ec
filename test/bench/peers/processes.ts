import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { until } from '@holdfast/testkit';

export interface Program {
  id: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Where its output goes, never on the volume under test. */
  logs: string;
  /** TCP port that answers once it is ready. */
  port?: number;
}

const RESTART_MS = 200;

/** A process that is started again whenever it ends, as a service manager or a container runtime does. */
export class Supervised {
  readonly id: string;
  restarts = 0;
  readonly #program: Program;
  #child: ChildProcess | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #atExit = (): void => this.kill();

  private constructor(program: Program) {
    this.id = program.id;
    this.#program = program;
  }

  /** @throws Error when its port does not answer within 60 s */
  static async start(program: Program): Promise<Supervised> {
    const started = new Supervised(program);
    process.once('exit', started.#atExit);
    started.#spawn();
    const { port, id, logs } = program;
    if (port === undefined) return started;
    try {
      await until(() => answers(port), {
        timeoutMs: 60_000,
        every: 50,
        what: `${id} on port ${port}; its output is in ${logs}`,
      });
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** SIGTERM, and SIGKILL when that is not heard within 10 s. */
  async stop(): Promise<void> {
    this.#stopped = true;
    process.off('exit', this.#atExit);
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('close', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    child.kill('SIGTERM');
    await gone;
    clearTimeout(timer);
  }

  #spawn(): void {
    const { id, command, args, env, cwd, logs } = this.#program;
    const log = openSync(path.join(logs, `${id}.log`), 'a');
    const child = spawn(command, args, {
      cwd,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    this.#child = child;
    const ended = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      if (this.#stopped) return;
      this.restarts += 1;
      this.#timer = setTimeout(() => this.#spawn(), RESTART_MS);
    };
    child.once('error', ended);
    child.once('close', ended);
  }
}

export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
  });
}
