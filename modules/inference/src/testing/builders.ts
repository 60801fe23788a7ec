import type { AssetReadings, BundleManifest, ReadingsMessage } from '@holdfast/contracts';
import { START_MS } from '@holdfast/testkit';
import type { Model } from '../domain/score-batch.ts';
import type { Scorer } from '../domain/scorer.ts';

export const IDENTITY = { name: 'm', version: '1', digest: `sha256:${'a'.repeat(64)}` };

type Row = (number | null)[];

/** Rows of one asset with the signals a, b, ...; times one second apart unless given. */
export function anAsset(given: {
  rows: Row[];
  asset?: string;
  signals?: string[];
  seq?: number[];
  t?: number[];
  lookback?: { rows: Row[]; t?: number[] };
}): AssetReadings {
  const { rows, lookback } = given;
  const signals = given.signals ?? ['a', 'b'].slice(0, rows[0]?.length ?? 1);
  const columns = (table: Row[]) => signals.map((_, signal) => table.map((row) => row[signal]!));
  const before = lookback?.rows.length ?? 0;
  return {
    asset: given.asset ?? 'pump-1',
    signals,
    seq: given.seq ?? rows.map((_, row) => row + 1),
    t: given.t ?? rows.map((_, row) => START_MS + row * 1_000),
    values: columns(rows),
    ...(lookback === undefined
      ? {}
      : {
          lookback: {
            t: lookback.t ?? lookback.rows.map((_, row) => START_MS + (row - before) * 1_000),
            values: columns(lookback.rows),
          },
        }),
  };
}

export function aBatch(assets: AssetReadings[], given: Partial<ReadingsMessage> = {}) {
  const seq = assets.flatMap((asset) => asset.seq);
  return {
    v: 1 as const,
    kind: 'readings' as const,
    stream: 'ingest-0',
    epoch: 'epoch-1',
    first: Math.min(...seq),
    last: Math.max(...seq),
    base: 0,
    lookback: 0,
    acceptedMs: START_MS,
    assets,
    ...given,
  };
}

export function aManifest(
  inputs: Partial<BundleManifest['inputs']> = {},
  change: Partial<BundleManifest> = {},
): BundleManifest {
  return {
    v: 1,
    name: 'm',
    version: '1',
    description: '',
    inputs: {
      tensor: 'window',
      signals: ['a', 'b'].map((name) => ({ name, unit: '1' })),
      periodMs: 1_000,
      rows: 1,
      gapMsMax: 5_000,
      fill: 'none',
      ...inputs,
    },
    outputs: { score: 'score', contributions: 'contributions' },
    levels: { warning: 50, alarm: 100 },
    opset: 17,
    files: {},
    ...change,
  };
}

/**
 * A scorer that adds up a window with rising weights, so that a score tells which rows were in it and in which order.
 * `poison` says which windows make a run fail as a whole.
 */
export class FakeScorer implements Scorer {
  runs = 0;
  readonly #width: number;
  readonly #signals: number;
  readonly #poison: (window: Float32Array) => string | undefined;

  constructor(
    inputs: BundleManifest['inputs'],
    poison: (window: Float32Array) => string | undefined = () => undefined,
  ) {
    this.#width = inputs.rows * inputs.signals.length;
    this.#signals = inputs.signals.length;
    this.#poison = poison;
  }

  room(length: number) {
    return new Float32Array(length);
  }

  async run(input: Float32Array<ArrayBuffer>, count: number) {
    this.runs += 1;
    const score = new Float32Array(count);
    const contributions = new Float32Array(count * this.#signals).fill(1 / this.#signals);
    for (let window = 0; window < count; window += 1) {
      const values = input.subarray(window * this.#width, (window + 1) * this.#width);
      const code = this.#poison(values);
      if (code !== undefined) throw Object.assign(new Error('poisoned'), { code });
      for (const [at, value] of values.entries()) score[window]! += value * (at + 1);
    }
    return { score, contributions };
  }
}

export const aModel = (manifest: BundleManifest, scorer?: Scorer): Model => ({
  identity: IDENTITY,
  manifest,
  scorer: scorer ?? new FakeScorer(manifest.inputs),
});

export const options = { windowsPerRunMax: 1_000, turn: () => Promise.resolve() };
