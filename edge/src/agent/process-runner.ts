import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { LogLine } from './log-lines.ts';

export interface ProcessSpec {
  /** Script that node runs. */
  entry: string;
  args?: readonly string[];
  nodeArguments?: readonly string[];
  cwd: string;
  env: Readonly<Record<string, string>>;
  onLine(line: LogLine): void;
}

/** From SIGTERM to SIGKILL, as Docker's default. */
export const STOP_TIMEOUT_MS = 10_000;

/** What a container would not have but a process on this machine needs. */
const inherited = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'SYSTEMROOT'];

/** One run of a script: from start to end, with its output line by line. */
export class RunningProcess {
  readonly pid: number | undefined;
  /** Resolves when the process is gone and its output read: exit code, or 128 + n for signal n. */
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;

  constructor(spec: ProcessSpec) {
    const guard = path.join(import.meta.dirname, 'orphan-guard.ts');
    this.#child = spawn(
      process.execPath,
      ['--import', guard, ...(spec.nodeArguments ?? []), spec.entry, ...(spec.args ?? [])],
      {
        cwd: spec.cwd,
        env: {
          ...Object.fromEntries(inherited.flatMap((name) => entryOf(name))),
          ...spec.env,
          HOLDFAST_EDGE_SUPERVISOR_PID: String(process.pid),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
        // A process group of its own: Ctrl-C in a terminal is for the supervisor, which then stops the others in order.
        detached: true,
      },
    );
    this.pid = this.#child.pid;
    for (const stream of ['stdout', 'stderr'] as const) {
      const input = this.#child[stream];
      if (input === null) continue;
      createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (log) =>
        spec.onLine({ log, stream, time: new Date().toISOString() }),
      );
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        spec.onLine({
          log: `<3> ${error.message}`,
          stream: 'stderr',
          time: new Date().toISOString(),
        });
        if (this.#child.pid === undefined) resolve(127);
      });
      this.#child.once('close', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that is not enough. */
  async stop(timeoutMs = STOP_TIMEOUT_MS): Promise<number> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const code = await this.ended;
    clearTimeout(timer);
    return code;
  }
}

function entryOf(name: string): [string, string][] {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
}

const signalNumber = (signal: NodeJS.Signals | null): number =>
  signal === null ? 0 : constants.signals[signal];
