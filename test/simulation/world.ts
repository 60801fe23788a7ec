import { zstdDecompressSync } from 'node:zlib';
import { type Seeded, seeded } from '@holdfast/testkit';
import { parquetReadObjects } from 'hyparquet';
import { Life, MODULES, type ModuleName, type Surroundings, type WorldOptions } from './life.ts';
import { type FoundScore, ReferenceModel } from './reference-model.ts';
import { PowerGone, SimulatedDisk } from './simulated-disk.ts';
import { NO_FAULTS, SimulatedHub } from './simulated-hub.ts';
import { SimulatedStore } from './simulated-store.ts';
import { SimulatedTime } from './simulated-time.ts';
import { Source } from './source.ts';

/** The promise is broken. */
export class Violation extends Error {}

const must = (condition: boolean, message: string): void => {
  if (!condition) throw new Violation(message);
};

interface Lane {
  produced: number;
  delivered: number;
  pending: number;
  denied: number;
  evicted: number;
  dead: number;
}

interface IngestStatus {
  accepted: number;
  inFlight: number;
  receipted: number;
  lost: number;
  accountsHold: boolean;
}

interface ForwarderStatus {
  applied: number;
  scored: number;
  rejected: number;
  unscored: number;
  skipped: number;
  lanes: Record<string, Lane>;
}

/** Steps that a world which is left in peace may take until nothing waits any more. */
const CALM_STEPS_MAX = 400_000;
const CHECK_EVERY = 50;

/**
 * A whole site in this process: sources, ingest, inference and forwarder with their real code and databases, on a
 * clock, a network, disks and a store that one seed drives. A step is one thing that happens. After the steps the
 * world is left in peace, and what arrived is compared with the reference model.
 */
export class World implements Surroundings {
  readonly random: () => number;
  readonly time: SimulatedTime;
  readonly hub: SimulatedHub;
  readonly disk: SimulatedDisk;
  readonly store: SimulatedStore;
  readonly options: WorldOptions;
  readonly counts = { steps: 0, kills: 0, readings: 0, blobs: 0, commits: 0 };
  /** The last lines of all logs, for a failure. */
  readonly lines: string[] = [];
  readonly #seeded: Seeded;
  readonly #model: ReferenceModel;
  readonly #sources: Source[];
  readonly #lives = new Map<ModuleName, Life>();
  readonly #calm = { now: false };
  #answerLoss = 0;
  #rejection: unknown;

  constructor(seed: number) {
    const random = seeded(seed);
    this.#seeded = random;
    this.random = () => random.next();
    this.options = {
      partitions: random.int(1, 4),
      windowRows: random.pick([1, 1, 3]),
      credit: random.int(1, 8),
      lingerMs: random.int(0, 20),
      parkedMax: random.int(0, 4),
      recordsMax: random.pick([1, 5, 50, 5_000]),
      outboxBytesMax: random.pick([65_536, 2 ** 30, 2 ** 30, 2 ** 30]),
    };
    this.time = new SimulatedTime(Date.UTC(2026, 10, 25));
    this.hub = new SimulatedHub(random);
    this.disk = new SimulatedDisk();
    this.disk.onPowerGone = (module) => this.#lives.get(module as ModuleName)?.cut();
    this.disk.onRefused = (module) => {
      const life = this.#lives.get(module as ModuleName);
      if (life !== undefined) life.refused = true;
    };
    this.store = new SimulatedStore(random);
    this.#model = new ReferenceModel(this.options.windowRows);
    const startMs = Date.UTC(2026, 9, 1);
    this.#sources = Array.from(
      { length: random.int(1, 6) },
      (_, index) => new Source(`asset-${index}`, { startMs, random, model: this.#model }),
    );
  }

  say(line: string): void {
    this.lines.push(`${Math.round(this.time.monotonicMs())} ${line}`);
    if (this.lines.length > 200) this.lines.splice(0, 100);
  }

  /** @throws Violation */
  async run(steps: number): Promise<void> {
    this.time.install();
    const onRejection = (error: unknown): void => {
      this.#rejection = error;
    };
    process.on('unhandledRejection', onRejection);
    try {
      for (const name of MODULES) await this.#start(name);
      while (this.counts.steps < steps) await this.#step();
      await this.#comeToRest();
      await this.#verify();
    } finally {
      process.off('unhandledRejection', onRejection);
      this.time.uninstall();
      this.counts.readings = this.#model.accepted;
      this.counts.blobs = this.store.blobs.size;
      this.counts.commits = this.disk.commits;
      this.disk.remove();
    }
  }

  async #step(): Promise<void> {
    this.counts.steps += 1;
    this.#act();
    await this.#settle();
    await this.#restart();
    if (this.counts.steps % CHECK_EVERY === 0) this.#checkNow();
  }

  #act(): void {
    const random = this.#seeded;
    const dice = random.next();
    if (!this.#calm.now && dice < 0.012) this.#fault();
    else if (dice < 0.12) this.#sourceActs();
    else if (dice < 0.3) this.hub.acceptOne();
    else if (dice < 0.55) this.#deliver();
    else if (dice < 0.65) this.store.answerOne();
    else this.#guarded(() => this.time.runNext());
  }

  /** Lets what was begun go on, and takes away modules that have ended. */
  async #settle(): Promise<void> {
    await this.time.settle();
    const rejection = this.#rejection;
    this.#rejection = undefined;
    if (rejection !== undefined) this.#blame(rejection);
    for (const life of [...this.#lives.values()]) {
      if (life.failure !== undefined) this.#blame(life.failure);
      if (life.gone || life.failure !== undefined) this.#kill(life.name);
    }
    for (const { problem } of this.#sources) must(problem === undefined, problem ?? '');
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#blame(error);
    }
  }

  /** An error that a fault explains ends the module that it came from; any other is a finding. */
  #blame(error: unknown): void {
    for (let cause = error; cause !== undefined && cause !== null; cause = (cause as Error).cause) {
      if (cause instanceof PowerGone) return;
      if (isFull(cause)) {
        const refused = [...this.#lives.values()].find((life) => life.refused);
        refused?.cut();
        if (refused !== undefined) return;
      }
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Violation(`a module has failed for no reason: ${text}`);
  }

  #sourceActs(): void {
    const source = this.#seeded.pick(this.#sources);
    if (this.#calm.now && source.idle) return;
    source.act({
      time: this.time,
      hub: this.hub,
      ingest: this.#lives.get('ingest'),
      loss: this.#answerLoss,
    });
  }

  #deliver(): void {
    const ready = MODULES.filter(
      (name) =>
        this.hub.waiting(name) > 0 &&
        this.hub.connected(name) &&
        this.#lives.get(name)?.module !== undefined,
    );
    if (ready.length === 0) return;
    const name = this.#seeded.pick(ready);
    const life = this.#lives.get(name)!;
    const message = this.hub.head(name)!;
    let answer: unknown;
    this.#guarded(() => {
      answer = this.time.as(life.owner, () => life.module?.inputs[message.input]?.(message));
    });
    if (life.gone || life.failure !== undefined) return;
    if (answer === 'later') {
      this.#cut(name);
      return;
    }
    if (!this.hub.settle(name, message) || message.input !== 'devices') return;
    for (const source of this.#sources) source.settled(message.messageId);
  }

  #fault(): void {
    this.#seeded.pick(this.#faults)(this.#seeded.pick(MODULES));
  }

  readonly #faults: readonly ((name: ModuleName) => void)[] = [
    (name) => this.#kill(name),
    (name) => {
      if (name === 'inference') return;
      const [after, stored] = [this.#seeded.int(0, 10), this.#seeded.chance(0.5)];
      this.disk.plan(name, { after, stored });
    },
    (name) => this.#cut(name),
    () => {
      const probability = () => (this.#seeded.chance(0.5) ? this.#seeded.next() * 0.3 : 0);
      this.hub.faults = {
        lose: probability(),
        loseAcknowledgement: probability(),
        drop: probability(),
        reorder: probability(),
        redeliver: probability(),
      };
    },
    () => {
      this.hub.faults = NO_FAULTS;
    },
    () => {
      this.store.mode = this.#seeded.pick(['down', 'throttling'] as const);
      this.store.loseAnswer = this.#seeded.chance(0.5) ? 0.3 : 0;
      this.#later(120_000, () => {
        this.store.mode = 'up';
      });
    },
    (name) => {
      if (name === 'inference') return;
      this.disk.setFull(name, true);
      this.#later(10_000, () => this.disk.setFull(name, false));
    },
    () => {
      this.#answerLoss = this.#seeded.chance(0.5) ? 0.3 : 0;
    },
    () => this.time.stepWall(this.#seeded.int(-12, 12) * 3_600_000),
  ];

  #later(msMax: number, run: () => void): void {
    this.time.after('world', this.#seeded.int(1, msMax), run);
  }

  #cut(name: ModuleName): void {
    this.hub.disconnect(name);
    this.#later(5_000, () => this.#connect(name));
  }

  #connect(name: ModuleName): void {
    const life = this.#lives.get(name);
    if (life?.module === undefined || this.hub.connected(name)) return;
    this.hub.connect(name);
    this.time.as(life.owner, () => life.module?.onConnected?.());
  }

  #kill(name: ModuleName): void {
    const life = this.#lives.get(name);
    if (life === undefined) return;
    this.counts.kills += 1;
    life.cut();
    this.#lives.delete(name);
    this.time.kill(life.owner);
    this.hub.disconnect(name);
    this.disk.afterKill(name);
    if (name === 'ingest') for (const source of this.#sources) source.unanswered();
    this.#later(3_000, () => this.#restarts.push(name));
  }

  readonly #restarts: ModuleName[] = [];

  async #start(name: ModuleName): Promise<void> {
    const life = new Life(name, this);
    this.#lives.set(name, life);
    let ended: 'started' | { error: unknown } | undefined;
    this.time
      .as(life.owner, () => life.start())
      .then(
        () => {
          ended = 'started';
        },
        (error: unknown) => {
          ended = { error };
        },
      );
    for (let turn = 0; ended === undefined; turn += 1) {
      must(turn < 10_000, `${name} does not start`);
      await this.time.settle();
      if (ended === undefined && turn > 3) this.#guarded(() => this.time.runNext());
    }
    if (ended === 'started') {
      if (!life.gone) this.#later(500, () => this.#connect(name));
      return;
    }
    this.#blame((ended as { error: unknown }).error);
    life.cut();
  }

  #checkNow(): void {
    const ingest = this.#status<IngestStatus>('ingest');
    const forwarder = this.#status<ForwarderStatus>('forwarder');
    if (ingest !== undefined) {
      const { accepted, inFlight, receipted, lost, accountsHold } = ingest;
      must(accountsHold, 'the accounts of ingest do not hold');
      must(lost === 0, `${lost} readings are lost, and nothing was damaged`);
      must(accepted === receipted + inFlight, 'accepted is not receipted + in flight');
      must(
        accepted >= this.#model.accepted,
        `${this.#model.accepted} readings are acknowledged, and the journal knows of ${accepted}`,
      );
    }
    if (forwarder === undefined) return;
    const { applied, scored, rejected, unscored, skipped, lanes } = forwarder;
    must(applied === scored + rejected + unscored, 'applied is not scored + rejected + unscored');
    must(skipped === 0, `${skipped} readings are skipped, and no store was lost`);
    for (const [lane, counts] of Object.entries(lanes)) {
      const { produced, delivered, pending, denied, evicted, dead } = counts;
      must(
        produced === delivered + pending + denied + evicted + dead,
        `the accounting of lane ${lane} is off: ${JSON.stringify(counts)}`,
      );
    }
    if (ingest !== undefined) {
      must(
        applied <= ingest.accepted,
        `${applied} readings are applied, and ${ingest.accepted} were accepted`,
      );
      must(
        ingest.receipted <= applied,
        `${ingest.receipted} readings have a receipt, and ${applied} are applied`,
      );
    }
  }

  #status<Status>(name: ModuleName): Status | undefined {
    const life = this.#lives.get(name);
    if (life === undefined || life.gone) return undefined;
    return life.module?.status() as Status | undefined;
  }

  /** No more faults: everything that was accepted must now arrive. */
  async #comeToRest(): Promise<void> {
    this.#calm.now = true;
    this.hub.faults = NO_FAULTS;
    this.store.mode = 'up';
    this.store.loseAnswer = 0;
    this.#answerLoss = 0;
    for (const name of MODULES) {
      this.disk.setFull(name, false);
      this.#connect(name);
    }
    let flush: { life: Life; done: boolean } | undefined;
    for (let turn = 0; ; turn += 1) {
      if (turn > CALM_STEPS_MAX) throw new Violation(`nothing comes to rest: ${this.#waiting()}`);
      await this.#step();
      if (turn % 20 !== 0 || this.#waiting() !== '') continue;
      const life = this.#lives.get('forwarder')!;
      if (flush?.life === life && !flush.done) continue;
      if (flush?.life === life && this.#pending() === 0) return;
      const begun = { life, done: false };
      flush = begun;
      this.time
        .as(life.owner, () => life.module!.flush())
        .then(() => {
          begun.done = true;
        });
    }
  }

  async #restart(): Promise<void> {
    for (const name of this.#restarts.splice(0)) await this.#start(name);
  }

  /** What is still under way, as text; empty when nothing is. */
  #waiting(): string {
    const ingest = this.#status<IngestStatus>('ingest');
    const forwarder = this.#status<ForwarderStatus>('forwarder');
    if (ingest === undefined || forwarder === undefined) return 'a module is not up';
    const busy = this.#sources.filter(({ idle }) => !idle);
    if (busy.length > 0) {
      return `sources have no acknowledgement: ${busy.map((source) => source.describe()).join(' ')}`;
    }
    if (ingest.inFlight > 0) return `${ingest.inFlight} readings have no receipt`;
    return forwarder.applied === ingest.accepted
      ? ''
      : `${ingest.accepted} readings are accepted and ${forwarder.applied} applied`;
  }

  #pending(): number {
    const { lanes } = this.#status<ForwarderStatus>('forwarder')!;
    return Object.values(lanes).reduce((sum, { pending }) => sum + pending, 0);
  }

  async #verify(): Promise<void> {
    this.#checkNow();
    const ingest = this.#status<IngestStatus>('ingest')!;
    const { applied, scored, lanes } = this.#status<ForwarderStatus>('forwarder')!;
    must(
      ingest.accepted === this.#model.accepted,
      `${this.#model.accepted} readings are acknowledged and ${ingest.accepted} accepted`,
    );
    must(
      scored === this.#model.scored,
      `${scored} readings are scored, ${this.#model.scored} have a full window`,
    );
    const found = await this.#readBack();
    const evicted = Object.values(lanes).reduce((sum, lane) => sum + lane.evicted, 0);
    const dead = Object.values(lanes).reduce((sum, lane) => sum + lane.dead, 0);
    must(dead === 0, `${dead} records are dead, and the store refused none`);
    must(
      found.evicted === evicted,
      `${evicted} records are evicted, and delivered gap records speak of ${found.evicted}`,
    );
    if (lanes.normal?.evicted === 0) {
      must(
        found.rolledUp === applied,
        `${found.rolledUp} readings are in rollups, ${applied} applied`,
      );
    }
    const missingMax = evicted === 0 ? 0 : scored - found.scores.length;
    const problem = this.#model.problemOf(found.scores, missingMax);
    must(problem === undefined, problem ?? '');
  }

  /** Everything at the store. @throws Violation for a record that is there twice */
  async #readBack(): Promise<{ scores: FoundScore[]; rolledUp: number; evicted: number }> {
    const scores: FoundScore[] = [];
    const blobOf = new Map<string, string>();
    let rolledUp = 0;
    let evicted = 0;
    for (const [name, { body }] of this.store.blobs) {
      const kind = /kind=(\w+)\//.exec(name)?.[1];
      const file = new Uint8Array(body).buffer;
      const compressors = { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) };
      const seen = new Set<string>();
      for (const row of await parquetReadObjects({ file, compressors })) {
        const id = String(row.id);
        must(
          kind === 'scores' ? (blobOf.get(id) ?? name) === name : !blobOf.has(id) && !seen.has(id),
          `record ${id} is at the store twice`,
        );
        seen.add(id);
        if (kind === 'scores') {
          scores.push({ asset: String(row.asset), t: Number(row.t), score: Number(row.score) });
        } else if (kind === 'rollup') {
          rolledUp += Number(row.scored) + Number(row.rejected) + Number(row.unscored);
        } else if (kind === 'gap' && String(row.source).startsWith('lane:')) {
          evicted += Number(row.count);
        }
      }
      for (const id of seen) blobOf.set(id, name);
    }
    return { scores, rolledUp, evicted };
  }
}

const isFull = (error: unknown): boolean => {
  const { code } = error as { code?: unknown };
  return code === 'SQLITE_FULL' || code === 'JOURNAL_DISK' || code === 'JOURNAL_DISK_FULL';
};
