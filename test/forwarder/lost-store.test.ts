/**
 * Goal: a site whose forwarder loses its database goes on, and says what it has lost. Method: the three modules in
 * this process on a hub in memory, inference without a model; the forwarder's database is deleted while readings are
 * under way.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { GapRecord } from '@holdfast/contracts';
import {
  type ModuleDefinition,
  type RunningHost,
  readEnvironment,
  startHost,
} from '@holdfast/module-host';
import { temporaryFolder, until } from '@holdfast/testkit';
import { MemoryHub } from '@holdfast/transport';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { forwarder } from '../../modules/forwarder/src/definition.ts';
import * as inferenceConfig from '../../modules/inference/src/config.ts';
import { startInference } from '../../modules/inference/src/start-inference.ts';
import { definition as ingest } from '../../modules/ingest/src/definition.ts';
import { numbered } from '../ingest/site-in-memory.ts';

jest.setTimeout(120_000);

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/adapters/onnx-worker.ts'));
const API = { version: '0.1.0', requestWorker: new URL('../oip/request-worker.ts', WORKER) };
const inference: ModuleDefinition<
  typeof inferenceConfig.environment,
  typeof inferenceConfig.settings
> = {
  name: 'inference',
  version: '0.1.0',
  httpPort: 8081,
  environment: inferenceConfig.environment,
  settings: inferenceConfig.settings,
  start: (host) => startInference(host, WORKER, API),
};
const nothing = (): void => undefined;

interface IngestStatus {
  accepted: number;
  inFlight: number;
  accountsHold: boolean;
  streams: { stream: string; epoch: string; appended: number; receipted: number }[];
}
interface ForwarderStatus {
  applied: number;
  unscored: number;
  skipped: number;
  gaps: number;
  parked: number;
  streams: { stream: string; epoch: string; through: number; skipped: number }[];
  lanes: { audit: { produced: number; pending: number } };
}

class Site {
  readonly hub = new MemoryHub()
    .route('ingest/readings', 'inference/readings')
    .route('inference/scores', 'forwarder/scores')
    .route('forwarder/receipts', 'ingest/receipts');
  readonly #folders = {
    ingest: temporaryFolder('ingest'),
    inference: temporaryFolder('inference'),
    forwarder: temporaryFolder('forwarder'),
  };
  readonly #hosts = new Map<string, RunningHost>();

  async start(name: 'ingest' | 'inference' | 'forwarder'): Promise<void> {
    const definition = { ingest, inference, forwarder }[name] as unknown as typeof ingest;
    const variables = {
      HOLDFAST_DATA_DIR: this.#folders[name],
      HOLDFAST_HTTP_PORT: '0',
      HOLDFAST_HTTP_AUTH: 'none',
    };
    const host = await startHost(definition, readEnvironment(definition, variables), {
      transport: this.hub.transport(name),
      log: { error: nothing, warn: nothing, info: nothing, debug: nothing },
      clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      environment: variables,
      fatal: (error) => {
        throw error;
      },
    });
    this.#hosts.set(name, host);
  }

  async stop(name: string): Promise<void> {
    await this.#hosts.get(name)?.stop();
    this.#hosts.delete(name);
  }

  async stopAll(): Promise<void> {
    for (const name of [...this.#hosts.keys()]) await this.stop(name);
  }

  deleteStore(): void {
    const folder = this.#folders.forwarder;
    const files = readdirSync(folder).filter((file) => file.startsWith('forwarder.db'));
    expect(files).toContain('forwarder.db');
    for (const file of files) rmSync(join(folder, file));
  }

  async post(from: number, count: number): Promise<void> {
    const response = await fetch(`${this.#hosts.get('ingest')!.url}/v1/readings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify(numbered(from, count)),
    });
    expect(response.status).toBe(202);
  }

  async gaps(): Promise<GapRecord[]> {
    const url = `${this.#hosts.get('forwarder')!.url}/v1/insights?kind=gap`;
    const response = await fetch(url, { headers: { connection: 'close' } });
    return ((await response.json()) as { insights: GapRecord[] }).insights;
  }

  get ingest(): IngestStatus {
    return this.#hosts.get('ingest')!.status() as unknown as IngestStatus;
  }

  get forwarder(): ForwarderStatus {
    return this.#hosts.get('forwarder')!.status() as unknown as ForwarderStatus;
  }

  async drained(): Promise<void> {
    await until(() => this.ingest.inFlight === 0, {
      timeoutMs: 60_000,
      what: () => `nothing in flight: ${JSON.stringify([this.ingest, this.forwarder])}`,
    });
  }
}

let site: Site;
afterEach(() => site.stopAll());

describe('a forwarder that has lost its database', () => {
  it('goes on behind what it had receipted, with a gap record for each stream, once', async () => {
    site = new Site();
    site.hub.setDesired('forwarder', { egress: { allow: ['gap'] } });
    for (const name of ['forwarder', 'inference', 'ingest'] as const) await site.start(name);
    for (let from = 1; from <= 500; from += 50) await site.post(from, 50);
    await site.drained();
    expect(site.forwarder).toMatchObject({ applied: 500, skipped: 0, gaps: 0 });
    const receipted = site.ingest.streams.filter((stream) => stream.receipted > 0);

    await site.stop('forwarder');
    await site.post(501, 200);
    await until(() => site.hub.queued('forwarder') > 0);
    site.deleteStore();
    await site.start('forwarder');
    for (let from = 701; from <= 1000; from += 50) await site.post(from, 50);
    await site.drained();

    expect(site.forwarder).toMatchObject({
      applied: 500,
      unscored: 500,
      skipped: 500,
      gaps: receipted.length,
      parked: 0,
      lanes: { audit: { produced: receipted.length, pending: receipted.length } },
    });
    const { accepted, accountsHold, streams } = site.ingest;
    expect(accountsHold).toBe(true);
    expect(accepted).toBe(site.forwarder.applied + site.forwarder.skipped);
    for (const { stream, epoch, appended } of streams.filter((one) => one.appended > 0)) {
      const skipped = receipted.find((one) => one.stream === stream)?.receipted ?? 0;
      expect(site.forwarder.streams).toContainEqual({ stream, epoch, through: appended, skipped });
    }
    const gaps = await site.gaps();
    expect(new Set(gaps.map(({ id }) => id)).size).toBe(receipted.length);
    for (const { stream, receipted: last } of receipted) {
      const reason = 'forwarder store was lost after it had receipted these';
      const gap = { kind: 'gap', source: stream, first: 1, last, count: last, reason };
      expect(gaps).toContainEqual(expect.objectContaining(gap));
    }

    // What was counted is durable, and nothing is skipped twice.
    await site.stop('forwarder');
    await site.start('forwarder');
    await site.post(1001, 50);
    await site.drained();
    expect(site.forwarder).toMatchObject({ applied: 550, skipped: 500, gaps: receipted.length });
  });
});
