import type { Clock, Log, ModuleHost, RunningModule } from '@holdfast/module-host';
import { fastify } from 'fastify';
import { Registry } from 'prom-client';
import { settings as forwarderSettings } from '../../modules/forwarder/src/config.ts';
import { startForwarder } from '../../modules/forwarder/src/forwarder.ts';
import { settings as inferenceSettings } from '../../modules/inference/src/config.ts';
import { Counts } from '../../modules/inference/src/counts.ts';
import { InferencePipeline } from '../../modules/inference/src/pipeline.ts';
import { routeOf } from '../../modules/inference/src/testing/a-route.ts';
import { aManifest, aModel } from '../../modules/inference/src/testing/builders.ts';
import { environment, settings as ingestSettings } from '../../modules/ingest/src/config.ts';
import { startIngest } from '../../modules/ingest/src/start-ingest.ts';
import type { SimulatedDisk } from './simulated-disk.ts';
import type { SimulatedHub } from './simulated-hub.ts';
import type { SimulatedStore } from './simulated-store.ts';
import type { Owner, SimulatedTime } from './simulated-time.ts';

export const MODULES = ['ingest', 'inference', 'forwarder'] as const;
export type ModuleName = (typeof MODULES)[number];

/** What differs from world to world. */
export interface WorldOptions {
  partitions: number;
  windowRows: number;
  credit: number;
  lingerMs: number;
  parkedMax: number;
  recordsMax: number;
  outboxBytesMax: number;
}

/** Scores from here on are warnings and alarms; a window of three of them still has the six digits that a score keeps. */
export const WARNING = 2 ** 16;
export const ALARM = 2 ** 17;

export interface Surroundings {
  time: SimulatedTime;
  hub: SimulatedHub;
  disk: SimulatedDisk;
  store: SimulatedStore;
  options: WorldOptions;
  random: () => number;
  /** A line of a module's log. */
  say(line: string): void;
}

type Module = RunningModule<never> & { inputs: RunningModule<never>['inputs'] };

/**
 * One life of a module, from start to kill: the real code of the module on a simulated host. What it hands to the
 * world after it was killed goes nowhere, and nothing comes back to it.
 */
export class Life {
  readonly name: ModuleName;
  readonly owner: Owner;
  readonly http = fastify();
  module: Module | undefined;
  /** Why it has ended by itself, or undefined. */
  failure: Error | undefined;
  /** A full disk has refused one of its commits. */
  refused = false;
  #gone = false;
  readonly #world: Surroundings;
  static #count = 0;

  constructor(name: ModuleName, world: Surroundings) {
    this.name = name;
    this.owner = `${name}#${++Life.#count}`;
    this.#world = world;
    // A request that is injected does not say when its body is complete, as one from a socket does.
    this.http.addHook('onRequest', ({ raw }, _reply, done) => {
      Object.defineProperty(raw, 'complete', { get: () => raw.readableEnded });
      done();
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  /** The power goes now: whatever the code still does before it notices has no effect. */
  cut(): void {
    this.#gone = true;
  }

  async start(): Promise<void> {
    this.module = (await STARTS[this.name](this.#host(), this.#world, this)) as unknown as Module;
  }

  /** Hands a result from the world to the module's code, in its own name and only while it lives. */
  resume(run: () => void): void {
    if (!this.#gone) this.#world.time.after(this.owner, 0, run);
  }

  #host(): ModuleHost<never, never> {
    const { time, hub, disk } = this.#world;
    const clock: Clock = { monotonicMs: time.monotonicMs, wallMs: time.wallMs };
    const write =
      (level: string) =>
      (event: string, fields: object = {}) =>
        this.#world.say(`${this.owner} ${level} ${event} ${JSON.stringify(fields)}`);
    const log: Log = {
      error: write('error'),
      warn: write('warn'),
      info: write('info'),
      debug: write('debug'),
    };
    const host: ModuleHost<Record<string, unknown>, unknown> = {
      env: {
        ...environment.parse({ HOLDFAST_HTTP_AUTH: 'none', IOTEDGE_MODULEID: this.name }),
        HOLDFAST_PARTITIONS: this.#world.options.partitions,
        HOLDFAST_SITE: 'simulation',
        HOLDFAST_DATA_DIR: disk.folder(this.name),
        HOLDFAST_HTTP_HOST: '127.0.0.1',
        HOLDFAST_HTTP_PORT: 0,
      },
      settings: settingsOf(this.name, this.#world.options),
      settingsVersion: 1,
      log,
      metrics: new Registry(),
      clock,
      http: this.http,
      send: (message) =>
        new Promise((resolve, reject) => {
          if (this.#gone) return;
          hub.send(this.name, message, (error) =>
            this.resume(() => (error === undefined ? resolve() : reject(error))),
          );
        }),
      connected: () => !this.#gone && hub.connected(this.name),
      fatal: (error) => {
        this.failure ??= error;
        throw error;
      },
    };
    return host as unknown as ModuleHost<never, never>;
  }
}

function settingsOf(name: ModuleName, options: WorldOptions): unknown {
  const { credit, lingerMs, parkedMax, recordsMax, outboxBytesMax } = options;
  switch (name) {
    case 'ingest':
      return ingestSettings.parse({ credit, lingerMs });
    case 'inference':
      return inferenceSettings.parse({});
    case 'forwarder':
      return forwarderSettings.parse({
        egress: { allow: ['anomaly', 'rollup', 'scores', 'gap'] },
        outbox: { bytesMax: outboxBytesMax },
        upload: { recordsMax, intervalSecs: 5 },
        parkedMax,
      });
  }
}

type Start = (
  host: ModuleHost<never, never>,
  world: Surroundings,
  life: Life,
) => Promise<RunningModule<never>>;

const STARTS: Readonly<Record<ModuleName, Start>> = {
  ingest: (host) => startIngest(host) as Promise<RunningModule<never>>,
  inference: async (host, { options }) => inference(host, options),
  forwarder: (host, { store, random }, life) =>
    startForwarder(host, {
      random,
      target: store.target((settle) => life.resume(settle)),
    }) as Promise<RunningModule<never>>,
};

/** The real pipeline of inference; only the model itself is a sum, so that its scores tell what was in the window. */
function inference(host: ModuleHost<never, never>, options: WorldOptions): RunningModule<never> {
  const manifest = aManifest(
    { signals: [{ name: 'v', unit: '1' }], rows: options.windowRows },
    { levels: { warning: WARNING, alarm: ALARM } },
  );
  const model = aModel(manifest);
  const counts: Counts = new Counts(host.metrics, () => pipeline.queued);
  const pipeline = new InferencePipeline({
    settings: host.settings,
    send: host.send,
    clock: host.clock,
    log: host.log,
    counts,
    route: routeOf(() => model),
  });
  return {
    inputs: { readings: ({ body }) => pipeline.accept(body) },
    apply: () => undefined,
    status: () => ({ queued: pipeline.queued }),
    flush: async () => ({}),
    notReady: () => undefined,
    onConnected: () => void pipeline.demand(),
    stop: async () => undefined,
  };
}
