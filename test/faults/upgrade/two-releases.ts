import path from 'node:path';
import type { Seeded } from '@holdfast/testkit';
import { untilReady } from '../../../scripts/demo/site.ts';
import { MODULES, ROOT } from '../../../scripts/steps.ts';
import { FaultFound } from '../scenario.ts';
import { type Environment, FaultSite, type FaultSiteOptions } from '../site/fault-site.ts';
import { extractPreviousRelease } from './previous-release.ts';

export type Release = 'old' | 'new';

/** A batch crosses the site in a fraction of a second; after so long the two releases do not understand each other. */
const CROSS_MS = 90_000;
const READY_MS = 30_000;

/** A site whose modules can be exchanged, one by one, for those of the other release. */
export class TwoReleases {
  readonly site: FaultSite;
  readonly #roots: Record<Release, string>;
  readonly #environment: Record<string, Environment>;
  readonly #running = new Map<string, Release>(MODULES.map((module) => [module, 'old']));
  exchanges = 0;

  /** Starts with all modules of the previous release. */
  static async start(
    options: Omit<FaultSiteOptions, 'moduleCommand' | 'environment'>,
  ): Promise<TwoReleases> {
    const old = path.join(options.folder, 'previous');
    extractPreviousRelease(old);
    const roots = { old, new: ROOT };
    const environment = Object.fromEntries(MODULES.map((id) => [id, of(roots.old)]));
    const entry = path.join(import.meta.dirname, 'launch.ts');
    const moduleCommand = Object.fromEntries(MODULES.map((id) => [id, { entry }]));
    const site = await FaultSite.start({ ...options, environment, moduleCommand });
    return new TwoReleases(site, roots, environment);
  }

  private constructor(
    site: FaultSite,
    roots: Record<Release, string>,
    environment: Record<string, Environment>,
  ) {
    this.site = site;
    this.#roots = roots;
    this.#environment = environment;
  }

  /** Ends a module, orderly or not, and starts the other release of it on what it left. */
  async exchange(module: string, random: Seeded): Promise<void> {
    const next = this.releaseOf(module) === 'old' ? 'new' : 'old';
    this.#running.set(module, next);
    this.#environment[module] = of(this.#roots[next]);
    const { edge } = this.site.site;
    if (random.chance(0.5)) await edge.restart(module);
    else edge.kill(module, 'SIGKILL');
    this.exchanges += 1;
    // A process that was killed answers no more, and one that is told to stop answers until it has.
    await new Promise((resolve) => setTimeout(resolve, 50));
    try {
      await untilReady(this.site.site, [module], READY_MS);
    } catch (error) {
      const said = this.site.errors.slice(-3).join(' | ');
      throw new FaultFound(`${this.describe()}: ${(error as Error).message}; ${said}`);
    }
  }

  releaseOf(module: string): Release {
    return this.#running.get(module) ?? 'old';
  }

  /** Waits until everything accepted so far has gone from ingest through inference to the forwarder and back. */
  async crossed(): Promise<void> {
    const endAt = performance.now() + CROSS_MS;
    for (;;) {
      const { ingest, forwarder } = await this.site.site.status();
      if (ingest !== undefined && forwarder !== undefined && ingest.inFlight === 0) return;
      if (performance.now() > endAt) {
        const left = `${ingest?.inFlight} of ${ingest?.accepted} readings have no receipt`;
        const said = this.site.errors.slice(-3).join(' | ');
        throw new FaultFound(`${this.describe()}: ${left} after ${CROSS_MS / 1000} s; ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Which release of each module runs, for messages. */
  describe(): string {
    return [...this.#running].map(([module, release]) => `${release} ${module}`).join(', ');
  }
}

const of = (root: string): Environment => ({ HOLDFAST_TEST_RELEASE: root });
