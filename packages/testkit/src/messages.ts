import type { ReadingsMessage, ScoresMessage } from '@holdfast/contracts';

/** 2026-11-23T12:00:00Z, the moment at which built readings begin. */
export const START_MS = Date.UTC(2026, 10, 23, 12);

/** One reading as a source hands it in, the shape that the journal takes. */
export interface ReadingToAppend {
  asset: string;
  signals: string[];
  t: number;
  values: (number | null)[];
}

/** A valid reading; give only what matters to the test. */
export function aReading(given: Partial<ReadingToAppend> = {}): ReadingToAppend {
  const signals = given.signals ?? ['pressure', 'temperature'];
  return {
    asset: 'pump-1',
    t: START_MS,
    values: signals.map((_, index) => index + 0.5),
    ...given,
    signals,
  };
}

/** `count` readings of one asset, one second apart. */
export function readings(count: number, given: Partial<ReadingToAppend> = {}): ReadingToAppend[] {
  const start = given.t ?? START_MS;
  return Array.from({ length: count }, (_, i) => aReading({ ...given, t: start + i * 1000 }));
}

export const aModel = {
  name: 'pump-loop',
  version: '1.0.0',
  digest: `sha256:${'0'.repeat(64)}`,
} as const;

const between = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);

/** A valid batch of one asset with the rows `first..last` (default 1..3), one second apart. */
export function aReadingsMessage(given: Partial<ReadingsMessage> = {}): ReadingsMessage {
  const first = given.first ?? 1;
  const last = given.last ?? first + 2;
  const seq = between(first, last);
  return {
    v: 1,
    kind: 'readings',
    stream: 'ingest-0',
    epoch: 'epoch-1',
    base: 0,
    lookback: 0,
    acceptedMs: START_MS,
    assets: [
      {
        asset: 'pump-1',
        signals: ['pressure', 'temperature'],
        seq,
        t: seq.map((n) => START_MS + n * 1000),
        values: [seq.map((n) => n + 0.5), seq.map((n) => 20 + n / 10)],
      },
    ],
    ...given,
    first,
    last,
  };
}

/** A valid outcome of one batch: all rows of one asset scored 0.1, level 0. */
export function aScoresMessage(given: Partial<ScoresMessage> = {}): ScoresMessage {
  const first = given.first ?? 1;
  const last = given.last ?? first + 2;
  const seq = between(first, last);
  return {
    v: 1,
    kind: 'scores',
    stream: 'ingest-0',
    epoch: 'epoch-1',
    base: 0,
    model: { ...aModel },
    acceptedMs: START_MS,
    assets: [
      {
        asset: 'pump-1',
        seq,
        t: seq.map((n) => START_MS + n * 1000),
        score: seq.map(() => 0.1),
        level: seq.map(() => 0 as const),
      },
    ],
    rejected: [],
    unscored: [],
    ...given,
    first,
    last,
  };
}
