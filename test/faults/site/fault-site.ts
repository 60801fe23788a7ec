import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Seeded, until } from '@holdfast/testkit';
import { drained, NotDrained } from '../../../scripts/demo/drained.ts';
import { holds, identitiesOf } from '../../../scripts/demo/identities.ts';
import { type ReadBack, readBack } from '../../../scripts/demo/read-back.ts';
import {
  CONTAINER,
  type Site,
  type SiteOptions,
  startSite,
  untilReady,
} from '../../../scripts/demo/site.ts';
import { HttpSource } from '../../../scripts/demo/source.ts';
import {
  type ForwarderStatus,
  type IngestStatus,
  readStatus,
} from '../../../scripts/demo/status.ts';
import { MODULES } from '../../../scripts/steps.ts';
import { type Plant, plantEnvironment } from '../plants/plant.ts';
import { FaultFound, mustHold } from '../scenario.ts';
import { Feeder, type FeederOptions } from './feeder.ts';
import { describeDiscrepancies, Ledger, Tally } from './ledger.ts';
import { oneRowModel } from './one-row-model.ts';

/** Processes that a scenario may break. */
export const PROCESSES = [...MODULES, 'edgeHub'] as const;

export type Environment = Record<string, string>;

export interface FaultSiteOptions {
  /** Empty, and of this site alone. */
  folder: string;
  random: Seeded;
  plant?: Plant | undefined;
  /**
   * Added to the environment of a process by module id or `edgeHub`, such as a shim's. The site keeps the object
   * and reads it at each start, so that it may change between two lives of a process.
   */
  environment?: Record<string, Environment>;
  /** Merged into the desired properties of a module; `egress`, `upload.intervalSecs` are set already. */
  settings?: Record<string, Record<string, unknown>>;
  moduleCommand?: SiteOptions['moduleCommand'];
  feeder?: Omit<FeederOptions, 'source' | 'ledger' | 'random'>;
  say?: (line: string) => void;
}

/** What a site has come to: its own books, and what storage holds. */
export interface Evidence {
  ingest: IngestStatus;
  forwarder: ForwarderStatus;
  storage: ReadBack;
  /** Each score in storage, by asset and time. */
  scores: Tally;
}

/** Everything may leave, so that each reading can be found in storage. */
const EGRESS = { allow: ['anomaly', 'rollup', 'gap', 'scores'] };

/** Makes the first wait before a restart 5 ms, and a process of 0.3 s a steady one whose waits begin anew. */
const BACKOFF_SCALE = 0.0005;

/** Compiled code is kept between processes and rounds: a start takes half the time. */
const COMPILE_CACHE = path.join(tmpdir(), 'holdfast-faults-code');

/**
 * A whole site of real processes (hub over TLS, three modules, Azurite behind a link that can be cut) with a source
 * that remembers what was acknowledged. The order of use: `start`, `feeder`, break something, `drain`, `verify`, `stop`.
 */
export class FaultSite {
  readonly site: Site;
  readonly source: HttpSource;
  readonly ledger = new Ledger();
  readonly feeder: Feeder;
  /** Error lines of all processes, for the message of a failure. */
  readonly errors: string[] = [];

  static async start(options: FaultSiteOptions): Promise<FaultSite> {
    const { folder, moduleCommand, say = () => {} } = options;
    mkdirSync(folder, { recursive: true });
    const site = await startSite({
      folder,
      site: 'faults',
      say,
      backoffScale: BACKOFF_SCALE,
      model: oneRowModel(path.join(folder, 'model')),
      settings: settingsWith(options.settings ?? {}),
      processEnvironment: environments(options),
      ...(moduleCommand === undefined ? {} : { moduleCommand }),
    });
    const started = new FaultSite(site, options);
    try {
      await untilReady(site, MODULES, 60_000);
      // Before its first settings the forwarder denies scores, and readings could not be found.
      await until(() => haveSettings(site), {
        timeoutMs: 60_000,
        what: 'settings of all modules',
      });
    } catch (error) {
      await site.stop();
      throw new Error(`${(error as Error).message}; ${started.errors.join(' | ')}`);
    }
    return started;
  }

  private constructor(site: Site, { random, feeder = {} }: FaultSiteOptions) {
    this.site = site;
    this.source = new HttpSource({ url: site.url('ingest'), token: site.token });
    this.feeder = new Feeder({ source: this.source, ledger: this.ledger, random, ...feeder });
    site.edge.onEvent((event) => {
      if (event.kind !== 'line' || !/^<[0-3]>/.test(event.line.log)) return;
      this.errors.push(`${event.id}: ${event.line.log.slice(0, 300)}`);
      if (this.errors.length > 20) this.errors.shift();
    });
  }

  /**
   * Waits until every accepted reading is applied, flushed and uploaded.
   * @throws FaultFound when the site stands still before that
   */
  async drain(options: { stallMs?: number } = {}): Promise<void> {
    try {
      await drained(this.site, options);
    } catch (error) {
      if (!(error instanceof NotDrained)) throw error;
      throw new FaultFound(`${error.message}; ${this.errors.slice(-5).join(' | ')}`);
    }
  }

  /** Reads all books; the site must be at rest. */
  async evidence(): Promise<Evidence> {
    const { ingest, forwarder } = await this.site.status();
    if (ingest === undefined || forwarder === undefined) throw new Error('a module is down');
    const scores = new Tally();
    const connection = this.site.storage.connectionString();
    const storage = await readBack(connection, CONTAINER, (kind, row) => {
      if (kind === 'scores') scores.add({ asset: String(row.asset), t: Number(row.t) });
    });
    return { ingest, forwarder, storage, scores };
  }

  /**
   * After `drain`: every identity holds to the unit, every acknowledged reading is in storage exactly once, and
   * nothing is there that was never sent. @throws FaultFound
   */
  async verify(): Promise<Evidence> {
    const evidence = await this.evidence();
    const wrong = describeDiscrepancies(this.ledger.compare(evidence.scores));
    mustHold(wrong === undefined, `of ${this.ledger.acknowledged} acknowledged: ${wrong}`);
    for (const identity of identitiesOf({ source: this.source.counts, ...evidence })) {
      const { says, left, right } = identity;
      mustHold(holds(identity), `${says}: ${left} is not ${right}`);
    }
    return evidence;
  }

  async stop(): Promise<void> {
    await this.site.stop();
  }
}

async function haveSettings(site: Site): Promise<boolean> {
  const statuses = await Promise.all(
    MODULES.map((id) => readStatus<{ settingsVersion: number }>(site.url(id))),
  );
  return statuses.every((status) => status !== undefined && status.settingsVersion > 0);
}

/**
 * One environment from several, later ones first in what they want node to load: hooks that are loaded first get the
 * source as it stands in the file.
 */
export function mergeEnvironments(...parts: readonly (Environment | undefined)[]): Environment {
  const merged: Environment = {};
  for (const part of parts) {
    const before = merged.NODE_OPTIONS;
    Object.assign(merged, part);
    if (before !== undefined && part?.NODE_OPTIONS !== undefined) {
      merged.NODE_OPTIONS = `${part.NODE_OPTIONS} ${before}`;
    }
  }
  return merged;
}

/** Looks into `options.environment` at each start of a process. */
function environments({ plant, environment = {} }: FaultSiteOptions): Record<string, Environment> {
  const always = mergeEnvironments({ NODE_COMPILE_CACHE: COMPILE_CACHE }, plantEnvironment(plant));
  const byProcess: Record<string, Environment> = { cloud: { NODE_COMPILE_CACHE: COMPILE_CACHE } };
  for (const id of PROCESSES) {
    Object.defineProperty(byProcess, id, {
      enumerable: true,
      get: () => mergeEnvironments(always, environment[id]),
    });
  }
  return byProcess;
}

function settingsWith(
  given: Record<string, Record<string, unknown>>,
): Record<string, Record<string, unknown>> {
  const forwarder = { egress: EGRESS, upload: { intervalSecs: 1 } };
  return { ...given, forwarder: merge(forwarder, given.forwarder ?? {}) };
}

/** As a twin patch without deletions. */
function merge(base: Record<string, unknown>, patch: Record<string, unknown>) {
  const merged = { ...base };
  for (const [name, value] of Object.entries(patch)) {
    const before = merged[name];
    merged[name] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
