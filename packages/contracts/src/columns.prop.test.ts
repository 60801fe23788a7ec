/**
 * Goal: the quick check of a message accepts exactly what its schema accepts, and says the same of the rest. Method:
 * messages that are right, then one value anywhere in them replaced or removed.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkReadings, checkScores } from './columns.ts';
import { check } from './problems.ts';
import { ReadingsMessage } from './readings.ts';
import { ScoresMessage } from './scores.ts';

const T = Date.UTC(2026, 0, 1);

const readings = {
  v: 1,
  kind: 'readings',
  stream: 'ingest-0',
  epoch: 'e1',
  first: 1,
  last: 3,
  base: 0,
  lookback: 1,
  acceptedMs: T,
  want: [2],
  assets: [
    {
      asset: 'pump-1',
      signals: ['a', 'b'],
      seq: [1, 3],
      t: [T, T + 1],
      values: [
        [1.5, null],
        [-0.1, 1e300],
      ],
      lookback: { t: [T - 1], values: [[null], [2]] },
    },
    { asset: 'pump-2', signals: ['a'], seq: [2], t: [T], values: [[0]] },
  ],
};

const scores = {
  v: 1,
  kind: 'scores',
  stream: 'ingest-0',
  epoch: 'e1',
  first: 1,
  last: 4,
  base: 0,
  model: { name: 'm', version: '1', digest: `sha256:${'0'.repeat(64)}` },
  acceptedMs: T,
  assets: [
    {
      asset: 'pump-1',
      seq: [1, 2],
      t: [T, T + 1],
      score: [0.1, 7],
      level: [0, 2],
      above: { signals: ['a'], row: [1], contribution: [[1]], value: [[null]] },
    },
  ],
  rejected: [{ seq: 3, asset: 'pump-1', t: T, code: 'c', detail: '' }],
  unscored: [{ asset: 'pump-1', code: 'c', seq: [4], t: [T] }],
};

const anything = fc.oneof(
  fc.constantFrom(null, undefined, '', 'x', [], {}, [null], [['x']], Number.NaN, 2 ** 53, 1.5, -1),
  fc.constantFrom(0, 1, 2, 3, T, Number.POSITIVE_INFINITY, true),
  fc.double(),
  fc.integer(),
);

/** Every place in a document, as a list of keys. */
function placesOf(document: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (typeof document !== 'object' || document === null) return [at];
  const below = Object.entries(document).flatMap(([key, value]) => placesOf(value, [...at, key]));
  return [at, ...below];
}

function changed(document: object, place: (string | number)[], value: unknown): unknown {
  if (place.length === 0) return value;
  const copy = structuredClone(document) as Record<string | number, unknown>;
  let target = copy;
  for (const key of place.slice(0, -1)) target = target[key] as typeof copy;
  const last = place.at(-1)!;
  if (value === undefined && Array.isArray(target)) target.splice(Number(last), 1);
  else if (value === undefined) delete target[last];
  else target[last] = value;
  return copy;
}

describe.each([
  ['readings', readings, checkReadings, ReadingsMessage],
  ['scores', scores, checkScores, ScoresMessage],
] as const)('the quick check of %s', (_, document, quick, schema) => {
  it('accepts a right message as it is', () => {
    expect(quick(document)).toEqual({ ok: true, value: document });
  });

  it('says what the schema says of any other', () => {
    const place = fc.constantFrom(...placesOf(document));
    fc.assert(
      fc.property(place, anything, (at, value) => {
        const broken = changed(document, at, value);
        expect(quick(broken)).toEqual(check(schema, broken));
      }),
      { numRuns: 3_000 },
    );
  });
});
