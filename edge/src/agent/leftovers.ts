import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type StateFolder } from './state-folder.ts';

/**
 * Children that a killed supervisor left behind end by themselves (orphan-guard.ts), but a module that hangs does
 * not. Their ids are on disk, so that the next start can make sure.
 */
export class ProcessList {
  readonly #file: string;
  readonly #pids = new Map<string, number>();

  constructor(state: StateFolder) {
    this.#file = state.path('processes.json');
  }

  add(id: string, pid: number): void {
    this.#pids.set(id, pid);
    this.#save();
  }

  remove(id: string): void {
    this.#pids.delete(id);
    this.#save();
  }

  /** Kills what is left of an earlier run and waits until it is gone. Returns how many there were. */
  async reap(): Promise<number> {
    const left = this.#read().filter((pid) => isAlive(pid) && isOurs(pid));
    for (const pid of left) kill(pid);
    while (left.some((pid) => isAlive(pid) && isOurs(pid))) await sleep(20);
    return left.length;
  }

  #read(): number[] {
    if (!existsSync(this.#file)) return [];
    try {
      return Object.values(JSON.parse(readFileSync(this.#file, 'utf8')) as Record<string, number>);
    } catch {
      return [];
    }
  }

  #save(): void {
    try {
      writeFileSync(this.#file, JSON.stringify(Object.fromEntries(this.#pids)));
    } catch {
      // A full disk: children still end by themselves.
    }
  }
}

/** A process id can belong to somebody else by now. Only Linux says what it runs; elsewhere nothing is killed. */
function isOurs(pid: number): boolean {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    const state = /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return command.includes('orphan-guard') && state !== 'Z';
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone in the meantime.
  }
}
