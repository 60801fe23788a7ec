import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type EdgeHandle, startEdge } from '@holdfast/edge';
import { freePort, TcpGate } from '@holdfast/testkit';
import { MODULES, ROOT } from '../steps.ts';
import { type Storage, startAzurite } from './azurite.ts';
import { type ForwarderStatus, type IngestStatus, readStatus, type SiteStatus } from './status.ts';

export const CONTAINER = 'insights';

const TEMPLATE = path.join(ROOT, 'deployment.template.json');

/** A running site: storage behind a link that can be cut, the local edge, the three modules. */
export interface Site {
  edge: EdgeHandle;
  storage: Storage;
  token: string;
  url(module: string): string;
  status(): Promise<SiteStatus>;
  /** Cuts or restores every way to the cloud: storage and the IoT hub. */
  setLink(up: boolean): Promise<void>;
  stop(): Promise<void>;
}

export interface SiteOptions {
  folder: string;
  site: string;
  say: (line: string) => void;
  backoffScale?: number;
  /** What the edge keeps: keys, queues, data of the modules. @default `edge` in the folder */
  stateDir?: string;
  /** Folder with a bundle of each module, as in the images; without it the modules run from their sources. */
  bundles?: string;
  /** Starts another program instead of a module's own, by module id; wins over `bundles`. */
  moduleCommand?: Readonly<Record<string, { entry: string }>>;
  /** Added to the environment of a process, by module id or `edgeHub`; read at each start. */
  processEnvironment?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Desired properties by module id, in the manifest itself, so that a module never runs without them. */
  settings?: Readonly<Record<string, object>>;
  /** Folder of the model bundle. @default the pump loop's */
  model?: string;
}

/** Starts everything on ports from the system. `say` tells the user what is being waited for. */
export async function startSite(options: SiteOptions): Promise<Site> {
  const { folder, say } = options;
  mkdirSync(path.join(folder, 'storage'), { recursive: true });
  const storage = await startAzurite(path.join(folder, 'storage'), await freePort());
  say(`storage (Azurite) answers on 127.0.0.1:${storage.port}`);
  const gate = await TcpGate.open({ port: storage.port });
  const token = randomBytes(24).toString('base64url');
  const { bundles, settings } = options;
  let edge: EdgeHandle | undefined;
  try {
    edge = await startEdge({
      template: settings === undefined ? TEMPLATE : templateWith(settings, folder),
      projectDir: ROOT,
      stateDir: options.stateDir ?? path.join(folder, 'edge'),
      environment: {
        HOLDFAST_SITE: options.site,
        HOLDFAST_HTTP_TOKEN: token,
        HOLDFAST_STORAGE_CONNECTION_STRING: storage.connectionString(gate.port),
        HOLDFAST_MODEL_PATH: options.model ?? path.join(ROOT, 'scenarios/pump-loop/bundle'),
      },
      moduleCommand: {
        ...(bundles === undefined ? {} : commandsIn(bundles)),
        ...options.moduleCommand,
      },
      ...(options.backoffScale === undefined ? {} : { backoffScale: options.backoffScale }),
      ...(options.processEnvironment === undefined
        ? {}
        : { processEnvironment: options.processEnvironment }),
    });
  } catch (error) {
    await gate.close();
    await storage.stop();
    throw error;
  }
  const running = edge;
  const url = (module: string): string => {
    const found = running.modules().find(({ id }) => id === module)?.url;
    if (found === undefined)
      throw new Error(`the module ${module} has no port of its own in the manifest`);
    return found;
  };
  return {
    edge: running,
    storage,
    token,
    url,
    status: async () => {
      const [ingest, forwarder] = await Promise.all([
        readStatus<IngestStatus>(url('ingest')),
        readStatus<ForwarderStatus>(url('forwarder')),
      ]);
      return { ingest, forwarder };
    },
    setLink: async (up) => {
      await gate.set(up ? 'up' : 'down');
      await running.setUpstream(up);
    },
    stop: async () => {
      await running.stop();
      await gate.close();
      await storage.stop();
    },
  };
}

const commandsIn = (bundles: string): Record<string, { entry: string }> =>
  Object.fromEntries(MODULES.map((id) => [id, { entry: path.join(bundles, id, 'main.js') }]));

/** Writes the template with other desired properties of some modules into `folder`. */
function templateWith(settings: Readonly<Record<string, object>>, folder: string): string {
  const template = JSON.parse(readFileSync(TEMPLATE, 'utf8'));
  for (const [module, desired] of Object.entries(settings)) {
    template.modulesContent[module]['properties.desired'] = desired;
  }
  const file = path.join(folder, 'deployment.template.json');
  writeFileSync(file, JSON.stringify(template));
  return file;
}

/** Waits until every module says it is ready. @throws Error that names the module and its reason after `timeoutMs`. */
export async function untilReady(
  site: Site,
  modules: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (const module of modules) {
    for (;;) {
      const reason = await notReady(site.url(module));
      if (reason === undefined) break;
      if (performance.now() > deadline) {
        throw new Error(`${module} is not ready after ${timeoutMs / 1000} s: ${reason}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function notReady(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? undefined : (await response.text()).slice(0, 300);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
