/**
 * The three modules in this process on a hub in memory. ingest is damaged between two lives: its data folder is copied
 * while it runs, which is what SIGKILL leaves, the copy is damaged, and the next ingest starts on it. Prints one line a
 * damage.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GapRecord } from '@holdfast/contracts';
import {
  type ModuleDefinition,
  type RunningHost,
  readEnvironment,
  startHost,
} from '@holdfast/module-host';
import { type Seeded, seeded, until } from '@holdfast/testkit';
import { MemoryHub } from '@holdfast/transport';
import { forwarder } from '../../../modules/forwarder/src/definition.ts';
import * as inferenceConfig from '../../../modules/inference/src/config.ts';
import { startInference } from '../../../modules/inference/src/start-inference.ts';
import { definition as ingest } from '../../../modules/ingest/src/definition.ts';
import { damageFile } from './file-damage.ts';

const SCORER = pathToFileURL(
  join(import.meta.dirname, '../../../modules/inference/src/adapters/onnx-worker.ts'),
);
const API = {
  version: '0.1.0',
  requestWorker: new URL('../oip/request-worker.ts', SCORER),
};
const inference: ModuleDefinition<
  typeof inferenceConfig.environment,
  typeof inferenceConfig.settings
> = {
  name: 'inference',
  version: '0.1.0',
  httpPort: 8081,
  environment: inferenceConfig.environment,
  settings: inferenceConfig.settings,
  start: (host) => startInference(host, SCORER, API),
};

type Name = 'ingest' | 'inference' | 'forwarder';

interface IngestStatus {
  accepted: number;
  inFlight: number;
  lost: number;
  accountsHold: boolean;
  salvage?: unknown;
}
interface ForwarderStatus {
  applied: number;
  skipped: number;
}

class Site {
  readonly #hub = new MemoryHub()
    .route('ingest/readings', 'inference/readings')
    .route('inference/scores', 'forwarder/scores')
    .route('forwarder/receipts', 'ingest/receipts');
  readonly #hosts = new Map<Name, RunningHost>();

  async start(name: Name, folder: string): Promise<void> {
    mkdirSync(folder, { recursive: true });
    const variables = {
      HOLDFAST_DATA_DIR: folder,
      HOLDFAST_HTTP_PORT: '0',
      HOLDFAST_HTTP_AUTH: 'none',
    };
    const definition = { ingest, inference, forwarder }[name] as unknown as typeof ingest;
    const nothing = (): void => undefined;
    const host = await startHost(definition, readEnvironment(definition, variables), {
      transport: this.#hub.transport(name),
      log: { error: nothing, warn: nothing, info: nothing, debug: nothing },
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      environment: variables,
      fatal: (error) => {
        throw error;
      },
    });
    this.#hosts.set(name, host);
  }

  async stop(name: Name): Promise<void> {
    await this.#hosts.get(name)?.stop();
    this.#hosts.delete(name);
  }

  async post(from: number, count: number): Promise<void> {
    const rows = Array.from({ length: count }, (_, index) => ({
      asset: `pump-${(from + index) % 7}`,
      t: Date.now(),
      values: { value: from + index },
    }));
    const response = await fetch(`${this.#url('ingest')}/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(rows),
    });
    if (response.status !== 202) throw new Error(`ingest answers ${response.status}`);
  }

  async gaps(): Promise<GapRecord[]> {
    const url = `${this.#url('forwarder')}/v1/insights?kind=gap&limit=1000`;
    const response = await fetch(url, { headers: { connection: 'close' } });
    return ((await response.json()) as { insights: GapRecord[] }).insights;
  }

  get ingest(): IngestStatus {
    return this.#hosts.get('ingest')!.status() as unknown as IngestStatus;
  }

  get forwarder(): ForwarderStatus {
    return this.#hosts.get('forwarder')!.status() as unknown as ForwarderStatus;
  }

  #url(name: Name): string {
    return this.#hosts.get(name)!.url;
  }
}

export interface ModuleResult {
  damage: string;
  problems: string[];
  lost: number;
  salvaged: boolean;
}

/** Some readings applied, some under way, some waiting; then the damage, a start, and some more. */
async function damageOnce(folder: string, random: Seeded): Promise<ModuleResult> {
  rmSync(folder, { recursive: true, force: true });
  const site = new Site();
  const at = (name: string): string => join(folder, name);
  for (const name of ['forwarder', 'inference', 'ingest'] as const)
    await site.start(name, at(name));
  let posted = 0;
  const post = async (posts: number): Promise<void> => {
    for (let count = 0; count < posts; count += 1) {
      const rows = random.int(1, 60);
      await site.post(posted + 1, rows);
      posted += rows;
    }
  };
  await post(random.int(1, 10));
  await drained(site);
  await post(random.int(0, 5));
  await site.stop('inference');
  await post(random.int(5, 40));
  cpSync(at('ingest'), at('killed'), { recursive: true });
  await site.stop('ingest');
  const damage = ['journal.db', 'journal.db-wal', 'rejects.db', 'settings.json']
    .flatMap((file) => {
      const done = damageFile(join(at('killed'), file), random);
      return done === undefined ? [] : [`${file}: ${done.text}`];
    })
    .join('; ');
  const result: ModuleResult = { damage, problems: [], lost: 0, salvaged: false };
  try {
    await site.start('ingest', at('killed'));
    await site.start('inference', at('inference'));
    result.salvaged = site.ingest.salvage !== undefined;
    for (let round = 0; round < 2; round += 1) await post(8);
    await drained(site);
    result.problems.push(...(await booksOf(site, posted)));
    result.lost = site.ingest.lost;
  } catch (error) {
    result.problems.push(`it failed: ${(error as Error).message}`);
  }
  for (const name of ['ingest', 'inference', 'forwarder'] as const) await site.stop(name);
  return result;
}

const drained = (site: Site): Promise<unknown> =>
  until(() => site.ingest.inFlight === 0, {
    timeoutMs: 30_000,
    what: () => `nothing in flight: ${JSON.stringify(site.ingest)}`,
  });

async function booksOf(site: Site, posted: number): Promise<string[]> {
  const { accepted, lost, accountsHold } = site.ingest;
  const { applied, skipped } = site.forwarder;
  const gaps = await site.gaps();
  const told = gaps.filter(({ reason }) => reason.startsWith('ingest has lost these: '));
  const rows = told.reduce((sum, { count }) => sum + count, 0);
  const books = { posted, accepted, applied, skipped, lost, gapRows: rows };
  const problems: string[] = [];
  if (accepted !== posted) problems.push('accepted is not what was posted');
  if (applied + lost !== posted) problems.push('applied and lost are not what was posted');
  if (skipped !== lost) problems.push('the forwarder has skipped something else than was lost');
  if (rows !== lost || told.length !== gaps.length) problems.push('gap records do not say it');
  if (!accountsHold) problems.push('the accounts of ingest do not hold');
  return problems.map((problem) => `${problem}: ${JSON.stringify(books)}`);
}

const [, , folder = '', seedText = '1', countText = '1'] = process.argv;
const random = seeded(Number(seedText));
for (let number = 0; number < Number(countText); number += 1) {
  const result = await damageOnce(join(folder, 'site'), seeded(random.int(0, 2 ** 31)));
  console.log(JSON.stringify({ number, ...result }));
}
process.exit(0);
