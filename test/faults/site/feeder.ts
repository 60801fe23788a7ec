import type { Seeded } from '@holdfast/testkit';
import { type HttpSource, NotAcknowledged, type SourceRow } from '../../../scripts/demo/source.ts';
import { FaultFound } from '../scenario.ts';
import type { Ledger } from './ledger.ts';

export interface FeederOptions {
  source: HttpSource;
  ledger: Ledger;
  random: Seeded;
  /** @default 12 */
  assets?: number;
  /** Readings in one post, at most. @default 40 */
  batchRows?: number;
  /** Time of the first reading of each asset. @default the start of 2025 */
  startMs?: number;
}

type Reading = SourceRow & { t: number };

/** Between two readings of one asset. */
const STEP_MS = 1_000;

/**
 * A source with seeded readings: several assets, each with a clock of its own that never stands still, so that asset
 * and time name a reading. A batch is posted until it is acknowledged and noted in the ledger before and after.
 */
export class Feeder {
  readonly #options: Required<FeederOptions>;
  readonly #nextT = new Map<string, number>();

  constructor(options: FeederOptions) {
    const startMs = Date.UTC(2025, 0, 1);
    this.#options = { assets: 12, batchRows: 40, startMs, ...options };
  }

  /** Posts one batch of some assets and waits for its acknowledgement. */
  async post(signal: AbortSignal, assets: readonly string[] = this.#assets()): Promise<void> {
    const { source, ledger, random, batchRows } = this.#options;
    const rows = Array.from({ length: random.int(1, batchRows) }, () =>
      this.#reading(random.pick(assets)),
    );
    ledger.sent(rows);
    const accepted = await source.post(rows, signal).catch((error: Error) => {
      throw error instanceof NotAcknowledged ? new FaultFound(error.message) : error;
    });
    if (accepted !== rows.length) {
      const refused = JSON.stringify(source.counts.refused);
      throw new Error(`ingest took ${accepted} of ${rows.length} readings: ${refused}`);
    }
    ledger.acknowledge(rows);
  }

  /**
   * Several posters at a time, each with assets of its own so that each asset stays in order, until `until` says
   * so; a batch that was begun is brought to its end.
   */
  async feed(options: {
    until: () => boolean;
    /** @default 3 */
    posters?: number;
    /** Rest of a poster between two batches, in ms. @default 10 */
    pauseMs?: number;
    signal: AbortSignal;
  }): Promise<void> {
    const { posters = 3, pauseMs = 10, signal, until } = options;
    const assets = this.#assets();
    const feedOwn = async (poster: number): Promise<void> => {
      const own = assets.filter((_, index) => index % posters === poster);
      while (!until() && !signal.aborted) {
        await this.post(signal, own);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    await Promise.all(Array.from({ length: posters }, (_, poster) => feedOwn(poster)));
    signal.throwIfAborted();
  }

  #assets(): string[] {
    return Array.from({ length: this.#options.assets }, (_, index) => `asset-${index}`);
  }

  /** Mostly normal; now and then a run of alarms would be too rare, so one in eight is high. */
  #reading(asset: string): Reading {
    const { random, startMs } = this.#options;
    const t = this.#nextT.get(asset) ?? startMs;
    this.#nextT.set(asset, t + STEP_MS);
    const high = random.chance(1 / 8) ? 10 : 0;
    return { asset, t, values: { a: random.next() * 2 + high, b: random.next() * 2 } };
  }
}
