import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';

/** The process ends here: thrown out of a commit, caught by nobody who matters. */
export class PowerGone extends Error {}

export interface CommitFault {
  /** Commits that still succeed. */
  after: number;
  /** Whether the transaction of the fault is on disk. */
  stored: boolean;
}

interface Volume {
  folder: string;
  /** Of all lives: what a killed one still holds is closed at the end, as it may be in the middle of a promise. */
  open: Set<Database.Database>;
  fault: CommitFault | undefined;
  full: boolean;
  commits: number;
}

/** Memory as a disk where there is one: an fsync there costs nothing, and what a kill leaves behind is the same. */
const PLACE = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/**
 * The disks of the modules, one folder each. A commit can fail because the disk is full, or be the moment at which
 * the process ends, before or after it is stored. What a killed process leaves is what its files hold at that moment.
 */
export class SimulatedDisk {
  readonly root = mkdtempSync(path.join(PLACE, 'holdfast-simulation-'));
  /** @internal */
  readonly volumes = new Map<string, Volume>();
  /** Told when a fault ends a module. */
  onPowerGone: (module: string) => void = () => undefined;
  /** Told when a full disk refuses a commit. */
  onRefused: (module: string) => void = () => undefined;
  static #current: SimulatedDisk | undefined;
  static #patched = false;

  constructor() {
    SimulatedDisk.#current = this;
    if (!SimulatedDisk.#patched) patchCommits((db, work) => SimulatedDisk.#commit(db, work));
    SimulatedDisk.#patched = true;
  }

  folder(module: string): string {
    return this.#volume(module).folder;
  }

  plan(module: string, fault: CommitFault): void {
    this.#volume(module).fault = fault;
  }

  setFull(module: string, full: boolean): void {
    this.#volume(module).full = full;
  }

  get commits(): number {
    let commits = 0;
    for (const volume of this.volumes.values()) commits += volume.commits;
    return commits;
  }

  /** What is on the disk of a module that was killed: a new folder, with the files as they are now. */
  afterKill(module: string): void {
    const volume = this.#volume(module);
    const next = mkdtempSync(path.join(this.root, `${module}-`));
    for (const name of readdirSync(volume.folder)) {
      const [from, to] = [path.join(volume.folder, name), path.join(next, name)];
      // The shared memory of a write-ahead log is made anew from it; what a reserve holds is nothing but room.
      if (name.endsWith('.reserve')) renameSync(from, to);
      else if (!name.endsWith('-shm')) cpSync(from, to, { recursive: true });
    }
    rmSync(volume.folder, { recursive: true, force: true });
    Object.assign(volume, { folder: next, fault: undefined });
  }

  remove(): void {
    for (const { open } of this.volumes.values()) for (const db of open) db.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  #volume(module: string): Volume {
    let volume = this.volumes.get(module);
    if (volume === undefined) {
      const folder = path.join(this.root, module);
      mkdirSync(folder);
      volume = { folder, open: new Set(), fault: undefined, full: false, commits: 0 };
      this.volumes.set(module, volume);
    }
    return volume;
  }

  static #commit(db: Database.Database, work: () => void): void {
    const disk = SimulatedDisk.#current;
    const folder = path.dirname(db.name);
    for (const [module, volume] of disk?.volumes ?? []) {
      if (volume.folder !== folder) continue;
      volume.open.add(db);
      volume.commits += 1;
      disk?.commitOn(module, volume, work);
      return;
    }
    work();
  }

  /** @internal */
  commitOn(module: string, volume: Volume, work: () => void): void {
    const { fault } = volume;
    if (fault !== undefined && fault.after <= 0) {
      volume.fault = undefined;
      if (fault.stored) work();
      this.onPowerGone(module);
      throw new PowerGone(`${module} ended at a commit`);
    }
    if (fault !== undefined) fault.after -= 1;
    if (volume.full) {
      this.onRefused(module);
      throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
    }
    work();
  }
}

/** Puts `around` in place of each commit: those of prepared statements and those of `transaction`. */
function patchCommits(around: (db: Database.Database, work: () => void) => void): void {
  const prototype = Database.prototype as unknown as Record<string, (...args: never[]) => unknown>;
  const { prepare, transaction } = Database.prototype;
  prototype.prepare = function (this: Database.Database, sql: string) {
    const statement = prepare.call(this, sql) as Database.Statement;
    if (sql !== 'COMMIT') return statement;
    const run = statement.run.bind(statement);
    statement.run = (() => {
      around(this, () => run());
    }) as unknown as typeof statement.run;
    return statement;
  } as never;
  prototype.transaction = function (
    this: Database.Database,
    work: (...args: unknown[]) => unknown,
  ) {
    return (...args: unknown[]) => {
      if (this.inTransaction) return transaction.call(this, work as never)(...(args as never[]));
      this.exec('BEGIN IMMEDIATE');
      try {
        const result = work(...args);
        around(this, () => this.exec('COMMIT'));
        return result;
      } finally {
        if (this.inTransaction) this.exec('ROLLBACK');
      }
    };
  } as never;
}
