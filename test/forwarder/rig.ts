import type { Lane, Level, ScoresMessage } from '@holdfast/contracts';
import type { RunningModule } from '@holdfast/module-host';
import { temporaryFolder } from '@holdfast/testkit';
import { type Settings, settings as schema } from '../../modules/forwarder/src/config.ts';
import { type ForwarderOptions, startForwarder } from '../../modules/forwarder/src/forwarder.ts';
import { aHost, type FakeHost } from '../../modules/forwarder/src/testing/fake-host.ts';

export const MODEL = { name: 'pump-loop', version: '1.2', digest: `sha256:${'a'.repeat(64)}` };
/** Ten minutes before midnight, so that the records fall on two days. */
export const START_MS = Date.UTC(2026, 10, 23, 23, 50);

export const ALL_KINDS = ['anomaly', 'rollup', 'scores', 'gap'];

export interface Status {
  applied: number;
  blobs: number;
  rollups: number;
  anomalies: { open: number; total: number };
  lanes: Record<
    Lane,
    {
      produced: number;
      delivered: number;
      pending: number;
      denied: number;
      evicted: number;
      dead: number;
    }
  >;
  link: string;
  lastError?: string;
}

/**
 * One batch of one asset at 1 Hz. Five rows at alarm level begin at every 300th second, so an anomaly opens and
 * closes every five minutes.
 */
export function batchOf(first: number, last: number): ScoresMessage {
  const seq = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const level = seq.map((n): Level => (n % 300 < 5 ? 2 : 0));
  const row = level.flatMap((one, i) => (one === 0 ? [] : [i]));
  const above = {
    signals: ['pressure', 'flow'],
    row,
    contribution: row.map(() => [0.25, 0.75]),
    value: row.map((i) => [seq[i]!, null]),
  };
  return {
    v: 1,
    kind: 'scores',
    stream: 'ingest-0',
    epoch: 'e1',
    first,
    last,
    base: 0,
    model: MODEL,
    acceptedMs: START_MS,
    assets: [
      {
        asset: 'pump 1',
        seq,
        t: seq.map((n) => START_MS + n * 1000),
        score: seq.map((n, i) => Math.fround(level[i]! + (n % 97) / 100)),
        level,
        ...(row.length === 0 ? {} : { above }),
      },
    ],
    rejected: [],
    unscored: [],
  };
}

/** A forwarder in this process, without a hub. */
export class Rig {
  readonly folder: string;
  fake!: FakeHost;
  module!: RunningModule<Settings>;
  static readonly #running = new Set<Rig>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(given: {
    connection: string | undefined;
    settings?: Record<string, unknown>;
    folder?: string;
    options?: ForwarderOptions;
  }): Promise<Rig> {
    const rig = new Rig(given.folder ?? temporaryFolder('forwarder'));
    const settings = schema.parse({
      egress: { allow: ALL_KINDS },
      ...given.settings,
      upload: { intervalSecs: 1, ...(given.settings?.upload as object | undefined) },
    });
    rig.fake = aHost(rig.folder, settings, {
      connectionString: given.connection,
      site: 'Werk 5',
    });
    // Least pauses between tries: chance has no part in these tests.
    rig.module = await startForwarder(rig.fake.host, { random: () => 0, ...given.options });
    Rig.#running.add(rig);
    return rig;
  }

  static async stopAll(): Promise<void> {
    for (const rig of Rig.#running) await rig.stop();
  }

  get status(): Status {
    return this.module.status() as unknown as Status;
  }

  /** Adds the rows `first..last` in batches of 100. */
  apply(first: number, last: number): void {
    for (let at = first; at <= last; at += 100) {
      const body = Buffer.from(JSON.stringify(batchOf(at, Math.min(last, at + 99))));
      this.module.inputs.scores!({ input: 'scores', body, properties: {} });
    }
  }

  get pending(): number {
    return Object.values(this.status.lanes).reduce((sum, lane) => sum + lane.pending, 0);
  }

  async stop(): Promise<void> {
    Rig.#running.delete(this);
    await this.module.stop();
    await this.fake.close();
  }
}
