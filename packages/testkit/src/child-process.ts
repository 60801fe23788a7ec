import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { until } from './until.ts';

export interface SpawnOptions {
  args?: readonly string[];
  /** Added to the environment of this process; undefined takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A TypeScript file running in a process of its own on Node 24, with its output captured. */
export class ChildProcess {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  exit: Exit | undefined;
  /** Everything printed so far, both streams in order of arrival. */
  output = '';
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  static readonly #running = new Set<ChildProcess>();

  private constructor(file: string, options: SpawnOptions) {
    // Without this, jest's own flags and transforms would reach the child.
    const { NODE_OPTIONS: _, ...inherited } = process.env;
    const env: NodeJS.ProcessEnv = { ...inherited, ...options.env };
    this.#child = spawn(node24(), [file, ...(options.args ?? [])], {
      cwd: options.cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text: string) => {
        this.output += text;
      });
    }
    ChildProcess.#running.add(this);
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        this.exit = exit;
        ChildProcess.#running.delete(this);
        resolve(exit);
      };
      this.#child.once('error', (error) => {
        this.output += `${error.message}\n`;
        settle({ code: null, signal: null });
      });
      this.#child.once('close', (code, signal) => settle({ code, signal }));
    });
  }

  static start(file: string, options: SpawnOptions = {}): ChildProcess {
    return new ChildProcess(file, options);
  }

  /** Kills with SIGKILL whatever was started here and still runs. */
  static async killAll(): Promise<void> {
    await Promise.all([...ChildProcess.#running].map((child) => child.kill()));
  }

  get lines(): string[] {
    return this.output.split('\n').filter((line) => line !== '');
  }

  /** Waits for a line in the output; fails at once when the process ends without it. */
  async line(pattern: RegExp | string, timeoutMs = 20_000): Promise<string> {
    const find = (): string | undefined =>
      this.lines.find((line) =>
        typeof pattern === 'string' ? line.includes(pattern) : pattern.test(line),
      );
    await until(() => find() !== undefined || this.exit !== undefined, {
      timeoutMs,
      what: () => `a line with ${String(pattern)} in:\n${this.output.slice(-4000)}`,
    });
    const line = find();
    if (line === undefined) {
      throw new Error(
        `process ended with ${JSON.stringify(this.exit)} before a line with ${String(pattern)}:\n${this.output.slice(-4000)}`,
      );
    }
    return line;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<Exit> {
    this.#child.kill('SIGKILL');
    return this.exited;
  }

  /** SIGTERM, and SIGKILL when that takes longer than `timeoutMs`. */
  async stop(timeoutMs = 12_000): Promise<Exit> {
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

/** Node 24: this process itself, or the one that npm brought into the workspace. */
export function node24(from = process.cwd()): string {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', '.bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (folder === dirname(folder)) throw new Error(`no Node 24 in ${from}: run npm ci first`);
  }
}
