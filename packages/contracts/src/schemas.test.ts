import { describe, expect, it } from '@jest/globals';
import { jsonSchemas } from './json-schema.ts';
import { Name, StreamName } from './names.ts';
import { check } from './problems.ts';
import { ReadingsMessage } from './readings.ts';
import { ScoresMessage } from './scores.ts';

const readings = {
  v: 1,
  kind: 'readings',
  stream: 'ingest-0',
  epoch: 'e1',
  first: 1,
  last: 2,
  base: 0,
  lookback: 0,
  acceptedMs: 1_700_000_000_000,
  assets: [
    {
      asset: 'pump-01',
      signals: ['Pressure'],
      seq: [1, 2],
      t: [1_700_000_000_000, 1_700_000_001_000],
      values: [[0.4, null]],
    },
  ],
};

describe('message schemas', () => {
  it('accept a batch with a missing value', () => {
    expect(check(ReadingsMessage, readings)).toMatchObject({ ok: true });
  });

  it.each([
    ['another version', { v: 2 }, 'v'],
    ['a sequence number of 0', { first: 0 }, 'first'],
    ['no asset', { assets: [] }, 'assets'],
    ['a name it does not know', { extra: 1 }, 'extra'],
  ])('refuse %s and name it', (_, change, path) => {
    const result = check(ReadingsMessage, { ...readings, ...change });
    expect(result.ok ? [] : result.problems.map((problem) => problem.path)).toEqual([path]);
  });

  it('refuse a score that is not a number', () => {
    const asset = { asset: 'a', seq: [1], t: [1_700_000_000_000], score: ['NaN'], level: [0] };
    const result = check(ScoresMessage, {
      ...readings,
      kind: 'scores',
      lookback: undefined,
      model: null,
      assets: [asset],
      rejected: [],
      unscored: [],
    });
    expect(result.ok ? [] : result.problems.map((problem) => problem.path)).toContain(
      'assets[0].score[0]',
    );
  });

  it.each(['pump-01', 'Volume Flow RateRMS', 'ns=2:T.1', 'Ölpumpe 3', 'x%'])(
    'take %j as a name or say why not',
    (name) => {
      expect(Name.safeParse(name).success).toBe(!name.includes('='));
    },
  );

  it.each(['', ' a', 'a ', 'a/b', 'a\nb', '..', 'a'.repeat(129)])('refuse the name %j', (name) => {
    expect(Name.safeParse(name).success).toBe(false);
  });

  it('refuse a stream name that would not be safe in a blob name', () => {
    expect(StreamName.safeParse('ingest/0').success).toBe(false);
  });

  it('are published as JSON Schema', () => {
    const schemas = jsonSchemas();
    expect(Object.keys(schemas)).toContain('readings');
    expect(schemas.readings).toMatchObject({ type: 'object', additionalProperties: false });
  });
});
