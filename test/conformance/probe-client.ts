import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { node24 } from '@holdfast/testkit';
import type { OutboundMessage } from '@holdfast/transport';
import type { Probe, ProbeEvents } from '@holdfast/transport/testing/conformance';

interface Reply {
  id?: number;
  error?: object;
  event?: string;
  value?: unknown;
}

/** Drives a `probe-process.ts`. */
export class ProbeClient implements Probe {
  readonly #child: ChildProcess;
  readonly #seen: ProbeEvents = { states: [], desired: [], fatal: [] };
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: unknown) => void }>();
  readonly exited: Promise<number | null>;
  output = '';
  #nextId = 0;

  constructor(environment: NodeJS.ProcessEnv) {
    this.#child = fork(join(__dirname, 'probe-process.ts'), [], {
      execPath: node24(),
      execArgv: [],
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const [, message = ''] of text.matchAll(/^fatal: (.*)$/gm)) {
          this.#seen.fatal.push(message);
        }
      });
    }
    this.#child.on('message', (reply: Reply) => this.#take(reply));
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code) => {
        for (const { reject } of this.#waiting.values()) {
          reject({ code: 'PROBE_GONE', retry: 'now', message: 'the process is gone' });
        }
        resolve(code);
      });
    });
  }

  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', () => resolve());
      this.#child.once('exit', (code) =>
        reject(new Error(`probe ended with ${code}: ${this.output}`)),
      );
    });
  }

  events = async (): Promise<ProbeEvents> => this.#seen;
  send = (message: OutboundMessage): Promise<void> => this.#call('send', message);
  report = (patch: Record<string, unknown>): Promise<void> => this.#call('report', patch);
  close = (): Promise<void> => this.#call('close');
  failOn = (text: string): Promise<void> => this.#call('failOn', text);

  /** Puts the process's wall clock forward. */
  skipTime = (ms: number): Promise<void> => this.#call('skipTime', ms);

  async kill(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL');
    await this.exited;
  }

  #call(call: string, argument?: unknown): Promise<void> {
    const id = ++this.#nextId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, call, argument }, (error) => {
        if (error) reject({ code: 'PROBE_GONE', retry: 'now', message: error.message });
      });
    });
  }

  #take({ id, error, event, value }: Reply): void {
    if (event === 'state') this.#seen.states.push(value as never);
    if (event === 'desired') this.#seen.desired.push(value as never);
    if (id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(error);
  }
}
