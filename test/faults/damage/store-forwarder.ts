import type { InsightRecord, Level, ScoresMessage } from '@holdfast/contracts';
import type { RunningModule } from '@holdfast/module-host';
import { Outbox } from '../../../modules/forwarder/src/adapters/outbox.ts';
import { type Settings, settings as schema } from '../../../modules/forwarder/src/config.ts';
import { startForwarder } from '../../../modules/forwarder/src/forwarder.ts';
import { aHost, type FakeHost } from '../../../modules/forwarder/src/testing/fake-host.ts';
import { ALL_KINDS, MODEL, START_MS, type Status } from '../../forwarder/rig.ts';

const ASSETS = 7;
export const STREAM = { stream: 'ingest-0', epoch: 'e1' };

/** Rows `first..last` of the one stream; row n is of asset n mod 7, so each row is known by its number alone. */
export function batchOf(first: number, last: number, base: number): ScoresMessage {
  const lists = new Map<string, ScoresMessage['assets'][number]>();
  for (let n = first; n <= last; n++) {
    const asset = `pump ${n % ASSETS}`;
    let list = lists.get(asset);
    if (list === undefined) {
      list = { asset, seq: [], t: [], score: [], level: [] };
      lists.set(asset, list);
    }
    const level: Level = Math.floor(n / ASSETS) % 60 < 4 ? 2 : 0;
    list.seq.push(n);
    list.t.push(START_MS + Math.floor(n / ASSETS) * 2_000);
    list.score.push(Math.fround(level + (n % 97) / 100));
    list.level.push(level);
  }
  return {
    ...{ v: 1, kind: 'scores', ...STREAM, first, last, base, model: MODEL },
    ...{ acceptedMs: START_MS, assets: [...lists.values()], rejected: [], unscored: [] },
  };
}

/** Every text that a record was ever made with, by its id. */
export type Produced = Map<string, Set<string>>;

let producing: Produced = new Map();
const append = Outbox.prototype.append;
Outbox.prototype.append = function (this: Outbox, records: readonly InsightRecord[], ...rest) {
  for (const record of records) {
    const texts = producing.get(record.id) ?? new Set();
    producing.set(record.id, texts.add(JSON.stringify(record)));
  }
  append.call(this, records, ...rest);
};

/** The process would have ended; the supervisor would start it again. */
export class Ended extends Error {}

/** A forwarder in this process whose end can be survived, and which remembers what it produced. */
export class StoreForwarder {
  readonly fake: FakeHost;
  readonly #module: RunningModule<Settings>;
  /** Rejects when the process would have ended. */
  readonly #end: Promise<never>;

  private constructor(fake: FakeHost, module: RunningModule<Settings>, end: Promise<never>) {
    this.fake = fake;
    this.#module = module;
    this.#end = end;
  }

  static async start(given: {
    folder: string;
    connection: string | undefined;
    produced: Produced;
    upload?: object;
  }): Promise<StoreForwarder> {
    producing = given.produced;
    const settings = schema.parse({
      egress: { allow: ALL_KINDS },
      upload: { intervalSecs: 1, recordsMax: 20, ...given.upload },
    });
    const fake = aHost(given.folder, settings, {
      connectionString: given.connection,
      site: 'Werk 5',
    });
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    fake.host.fatal = (error) => {
      const end = new Ended(error.message, { cause: error });
      ended.reject(end);
      throw end;
    };
    try {
      const module = await startForwarder(fake.host, { random: () => 0 });
      return new StoreForwarder(fake, module, ended.promise);
    } catch (error) {
      await fake.close();
      throw error;
    }
  }

  get status(): Status & Record<string, never> {
    return this.#module.status() as never;
  }

  apply(first: number, last: number, base = 0): void {
    for (let at = first; at <= last; at += 50) {
      const batch = batchOf(at, Math.min(last, at + 49), base);
      const body = Buffer.from(JSON.stringify(batch));
      this.#module.inputs.scores!({ input: 'scores', body, properties: {} });
    }
  }

  /** @returns records that are still pending */
  async flush(): Promise<number> {
    const flushed = this.#module.flush() as Promise<{ pending: number }>;
    return (await Promise.race([flushed, this.#end])).pending;
  }

  async stop(): Promise<void> {
    await this.#module.stop().catch(() => undefined);
    await this.fake.close();
  }
}
