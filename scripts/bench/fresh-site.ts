import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Site, startSite, untilReady } from '../demo/site.ts';
import { MODULES, run } from '../steps.ts';

/** What every section of the bench is given. */
export interface Bench {
  /** How long one figure is measured. */
  seconds: number;
  /** Progress, for whoever waits. */
  say(line: string): void;
  /** Bundles as they lie in the images: what runs is what is measured. */
  bundles: string;
}

/** Builds the bundles of all modules; they go with the process. @throws Error when one cannot be built */
export async function buildBundles(): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-bundles-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const module of MODULES) {
    const args = ['scripts/build.ts', module, '--out', path.join(folder, module)];
    const code = await run('node', args);
    if (code !== 0) throw new Error(`the bundle of ${module} could not be built`);
  }
  return folder;
}

export interface FreshSiteOptions {
  /** Folder of a model bundle. @default the pump loop's */
  model?: string;
  /** Added to the environment of processes, given the folder of the site. */
  environment?: (folder: string) => Record<string, Record<string, string>>;
}

/** Runs on a site of its own, so that no run drains what another has left. */
export async function onFreshSite<T>(
  { bundles }: Pick<Bench, 'bundles'>,
  use: (site: Site) => Promise<T>,
  options: FreshSiteOptions = {},
): Promise<T> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'holdfast-bench-')));
  const site = await startSite({
    folder,
    site: 'bench',
    say: () => {},
    bundles,
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(options.environment === undefined
      ? {}
      : { processEnvironment: options.environment(folder) }),
  });
  try {
    await untilReady(site, MODULES, 60_000);
    return await use(site);
  } finally {
    await site.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
