import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '@holdfast/testkit';
import { ShimControl, type ShimFailure, shimEnvironment, shimUnavailable } from '../disk/shim.ts';
import type { Plant } from '../plants/plant.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { FaultSite } from '../site/fault-site.ts';

const CAP_BYTES = 16 * 1024 * 1024;
/** Injections of a round. */
const INJECTIONS = { short: 9, long: 120 } as const;
/** Operations of one kind that a module does on one file in the time of an injection, about. */
const NTH_MAX = 12;
/** How long an operation is waited for: not every file is written all the time. */
const STRIKE_MS = 1_200;
/** How long a failure that lasts does so after its first strike. */
const LASTING_MS = 700;

type Target = { module: 'ingest' | 'forwarder'; path: string };
const STORES: readonly Target[] = [
  { module: 'ingest', path: '/journal.db-wal' },
  { module: 'ingest', path: '/journal.db' },
  { module: 'forwarder', path: '/forwarder.db-wal' },
  { module: 'forwarder', path: '/forwarder.db' },
];
/** What must never take a module down. */
const ASIDE: readonly Target[] = [
  { module: 'ingest', path: '/rejects.db' },
  { module: 'ingest', path: '/rejects.db-wal' },
  { module: 'ingest', path: '/settings.json.new' },
  { module: 'forwarder', path: '/settings.json.new' },
  { module: 'ingest', path: '.reserve' },
];

const plants: readonly Plant[] = [
  {
    name: 'acknowledged-after-failed-commit',
    file: 'packages/journal/src/group-commit.ts',
    find: 'for (const entry of group) entry.reject(error);',
    replace:
      'for (const entry of group) entry.resolve(entry.readings.map(() => ({ partition: 0, seq: 1 })));',
  },
  {
    name: 'goes-on-after-failed-fsync',
    file: 'packages/journal/src/database.ts',
    find: "if (code.startsWith('SQLITE_FULL')) {",
    replace: "if (code.startsWith('SQLITE_FULL') || code.startsWith('SQLITE_IOERR')) {",
  },
  {
    name: 'forwarder-goes-on-after-failed-fsync',
    file: 'modules/forwarder/src/adapters/commits.ts',
    find: 'if (!isDiskFailure(error)) return error;',
    replace:
      "if (isDiskFailure(error)) return new ForwarderError('FWD_DISK_FULL', message, '', error);",
  },
  {
    name: 'full-ends-the-process',
    file: 'modules/ingest/src/pipeline.ts',
    find: "if (isBusy(error) || codeOf(error) === 'JOURNAL_CLOSED') throw error;",
    replace: "if (codeOf(error) === 'JOURNAL_CLOSED') throw error;",
  },
];

export const diskFullErrors: Scenario = {
  name: 'disk-full-errors',
  topic: 'disk-full',
  fault:
    'A layer below ingest and forwarder makes the n-th write, sync, truncate or open of journal, forwarder database, their logs, the reject log, the settings and the reserve fail with ENOSPC or EIO, once or lasting, while readings flow.',
  holds:
    'ENOSPC on a write and whatever concerns no store leave the module up; an I/O error on a store, a failed fsync above all, ends it; each time it goes on by itself, and every acknowledged reading is in storage exactly once.',
  plants,
  unavailable: async () => shimUnavailable(),
  async run(round) {
    const controls = {
      ingest: ShimControl.create(`${round.folder}/ingest.control`),
      forwarder: ShimControl.create(`${round.folder}/forwarder.control`),
    };
    const environment = (id: 'ingest' | 'forwarder') => {
      const folder = `${round.folder}/data-${id}`;
      mkdirSync(folder);
      const control = `${round.folder}/${id}.control`;
      return { HOLDFAST_DATA_DIR: folder, ...shimEnvironment({ folder, control }) };
    };
    const site = await FaultSite.start({
      ...round,
      folder: `${round.folder}/site`,
      environment: { ingest: environment('ingest'), forwarder: environment('forwarder') },
      // Logs of 1 MiB, which go into the files every second or two.
      settings: { ingest: { capBytes: CAP_BYTES }, forwarder: { outbox: { bytesMax: CAP_BYTES } } },
      feeder: { batchRows: 120 },
    });
    try {
      return await new Errors(site, controls, round).run();
    } finally {
      await site.stop();
    }
  },
};

class Errors {
  readonly #site: FaultSite;
  readonly #controls: Record<Target['module'], ShimControl>;
  readonly #round: Round;
  readonly #counts = { injections: 0, 'failed operations': 0, 'ends of a module': 0 };
  #patches = 0;

  constructor(site: FaultSite, controls: Record<Target['module'], ShimControl>, round: Round) {
    this.#site = site;
    this.#controls = controls;
    this.#round = round;
  }

  async run(): Promise<Counts> {
    const { random, size, signal } = this.#round;
    let over = false;
    const feeding = this.#site.feeder.feed({ until: () => over, pauseMs: 25, signal });
    feeding.catch(() => {});
    try {
      for (let at = 0; at < INJECTIONS[size] && !signal.aborted; at++) {
        const target = at % 3 === 2 ? random.pick(ASIDE) : random.pick(STORES);
        // The first ones of a short round are those that matter most.
        const failure = at < 4 ? FIRST[at]! : this.#draw();
        await this.#inject(at < 4 ? STORES[at % 2 === 0 ? 0 : 2]! : target, failure);
      }
    } finally {
      over = true;
    }
    await feeding;
    await this.#site.drain();
    await this.#site.verify();
    return { ...this.#counts, readings: this.#site.ledger.acknowledged };
  }

  #draw(): Omit<ShimFailure, 'path'> {
    const { random } = this.#round;
    const operation = random.pick(['write', 'write', 'sync', 'sync', 'truncate', 'open'] as const);
    return {
      operation,
      nth: operation === 'open' ? random.int(1, 2) : random.int(1, NTH_MAX),
      errno: random.pick(['EIO', 'ENOSPC'] as const),
      lasting: random.chance(0.5),
    };
  }

  async #inject(target: Target, failure: Omit<ShimFailure, 'path'>): Promise<void> {
    const { module, path } = target;
    const what = `${failure.errno} at ${failure.operation} ${failure.nth} of ${path.slice(1)}${failure.lasting ? ', lasting' : ''}`;
    const control = this.#controls[module];
    const store = STORES.includes(target);
    const before = { failed: control.counts().failed, restarts: this.#restarts(module) };
    control.set({ failure: { ...failure, path } });
    // Files of a store are opened at the start.
    if (store && failure.operation === 'open') this.#site.site.edge.kill(module);
    await this.#stir(target);
    const struck = await this.#strikes(control, before.failed);
    if (struck && failure.lasting) await sleep(LASTING_MS);
    control.set({ failure: null });
    await this.#goesOn(what);
    const failed = control.counts().failed - before.failed;
    const ended = this.#restarts(module) - before.restarts;
    this.#counts.injections++;
    this.#counts['failed operations'] += failed;
    this.#counts['ends of a module'] += ended;
    if (failed === 0) return;
    if (!store || (failure.errno === 'ENOSPC' && failure.operation === 'write')) {
      mustHold(ended === 0, `${what}: the module ended; ${this.#site.errors.at(-1)}`);
    } else if (failure.operation === 'sync' && failure.lasting && path.endsWith('-wal')) {
      // Once may hit the sync of a checkpoint, which SQLite does again, whole, from the log that it keeps till then.
      mustHold(ended > 0, `${what}: the module went on after a failed fsync`);
    }
  }

  /** Makes the module write what it seldom writes. */
  async #stir({ module, path }: Target): Promise<void> {
    const { edge, token, url } = this.#site.site;
    if (path.startsWith('/settings')) {
      const patch = { parkedMax: 4 + (this.#patches++ % 2), folderPollMs: 1_000 + this.#patches };
      const { parkedMax, folderPollMs } = patch;
      await edge.patchTwin(module, module === 'ingest' ? { folderPollMs } : { parkedMax });
    }
    if (path.startsWith('/rejects')) {
      for (let i = 0; i < 20; i++) {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const wrong = { method: 'POST', headers, body: '[{"asset":"wrong"}]' };
        await fetch(`${url('ingest')}/v1/readings`, wrong).then(
          (r) => r.text(),
          () => '',
        );
      }
    }
  }

  async #strikes(control: ShimControl, before: number): Promise<boolean> {
    const end = performance.now() + STRIKE_MS;
    while (performance.now() < end) {
      if (control.counts().failed > before) return true;
      await sleep(20);
    }
    return false;
  }

  /** Readings are acknowledged and applied again. @throws FaultFound */
  async #goesOn(what: string): Promise<void> {
    const { ledger } = this.#site;
    const before = ledger.acknowledged;
    const applied = async (): Promise<number> =>
      (await this.#site.site.status()).forwarder?.applied ?? 0;
    let from: number | undefined;
    try {
      await until(
        async () => {
          from ??= (await applied()) || undefined;
          return ledger.acknowledged > before && from !== undefined && (await applied()) > from;
        },
        { timeoutMs: 80_000, every: 50, what: `${what}: to go on` },
      );
    } catch (error) {
      throw new FaultFound(
        `${(error as Error).message}; ${this.#site.errors.slice(-3).join(' | ')}`,
      );
    }
  }

  #restarts(module: string): number {
    return this.#site.site.edge.modules().find(({ id }) => id === module)?.restarts ?? 0;
  }
}

const FIRST: readonly Omit<ShimFailure, 'path'>[] = [
  { operation: 'write', nth: 3, errno: 'ENOSPC', lasting: true },
  { operation: 'sync', nth: 5, errno: 'EIO', lasting: true },
  { operation: 'sync', nth: 2, errno: 'EIO', lasting: true },
  { operation: 'write', nth: 7, errno: 'ENOSPC', lasting: false },
];
