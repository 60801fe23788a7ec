import { describe, expect, it } from '@jest/globals';
import { anIntake, NOW_MS } from '../testing/an-intake.ts';
import { readJson } from './read-json.ts';
import { readJsonText, readNdjson } from './read-text.ts';

const one = (given: Record<string, unknown> = {}) => ({
  asset: 'pump-1',
  t: NOW_MS,
  values: { pressure: 1.5, flow: null },
  ...given,
});

const columns = (given: Record<string, unknown> = {}) => ({
  asset: 'pump-1',
  signals: ['pressure', 'flow'],
  t: [NOW_MS, NOW_MS + 1000],
  values: [
    [1, 2],
    [3, null],
  ],
  ...given,
});

function refusalOf(document: unknown, settings: Parameters<typeof anIntake>[0] = {}) {
  const intake = anIntake(settings);
  readJson(document, intake, {});
  expect(intake.accepted).toHaveLength(0);
  return intake.refusals[0];
}

describe('readJson, good input', () => {
  it('reads one object', () => {
    const intake = anIntake();
    readJson(one(), intake, {});
    expect(intake.accepted).toEqual([
      { asset: 'pump-1', t: NOW_MS, signals: ['pressure', 'flow'], values: [1.5, null] },
    ]);
  });

  it('turns columns into rows', () => {
    const intake = anIntake();
    readJson(columns(), intake, {});
    expect(intake.accepted.map(({ t, values }) => [t, values])).toEqual([
      [NOW_MS, [1, 3]],
      [NOW_MS + 1000, [2, null]],
    ]);
  });

  it('reads an array of both forms and numbers the rows through', () => {
    const intake = anIntake();
    readJson([one(), columns(), one({ t: 'x' })], intake, {});
    expect(intake.places).toEqual([0, 1, 2]);
    expect(intake.refusals[0]).toMatchObject({ row: 3, path: '[2].t' });
  });

  it('gives rows without an asset the one of the request', () => {
    const intake = anIntake();
    readJson(one({ asset: undefined }), intake, { asset: 'pump-9' });
    expect(intake.accepted[0]?.asset).toBe('pump-9');
  });

  it('keeps one bad row from harming the others', () => {
    const intake = anIntake();
    readJson([one(), one({ values: { pressure: '1' } }), one()], intake, {});
    expect(intake.accepted).toHaveLength(2);
    expect(intake.refusedCount).toBe(1);
  });

  it('shares one list of names among rows with the same signals', () => {
    const intake = anIntake();
    readJson([one(), one()], intake, {});
    expect(intake.accepted[0]?.signals).toBe(intake.accepted[1]?.signals);
  });
});

describe('readJson, bad input', () => {
  it.each([
    ['a number', 5, { code: 'shape', path: '', value: '5' }],
    ['null', null, { code: 'shape', path: '' }],
    ['a nested array', [[one()]], { code: 'shape', path: '[0]', value: 'array of 1' }],
    ['an unknown field', one({ unit: 'bar' }), { code: 'field-unknown', path: 'unit' }],
    ['a missing asset', one({ asset: undefined }), { code: 'asset-missing', path: 'asset' }],
    ['an asset that is no text', one({ asset: 7 }), { code: 'asset-name', value: '7' }],
    ['an asset with a slash', one({ asset: 'a/b' }), { code: 'asset-name', value: '"a/b"' }],
    ['a long asset', one({ asset: 'a'.repeat(129) }), { code: 'asset-name', path: 'asset' }],
    ['no values', one({ values: undefined }), { code: 'shape', path: 'values' }],
    ['values as a list', one({ values: [1] }), { code: 'shape', path: 'values' }],
    ['no signal', one({ values: {} }), { code: 'signals-none', path: 'values' }],
    [
      'a bad signal name',
      one({ values: { 'a/b': 1 } }),
      { code: 'signal-name', path: 'values.a/b' },
    ],
    ['text as a number', one({ values: { p: '1.5' } }), { code: 'value-type', value: '"1.5"' }],
    ['a boolean', one({ values: { p: true } }), { code: 'value-type', path: 'values.p' }],
    ['an object as value', one({ values: { p: {} } }), { code: 'value-type', value: 'object' }],
    ['NaN', one({ values: { p: Number.NaN } }), { code: 'value-not-finite', value: 'NaN' }],
    [
      '1e400',
      JSON.parse('{"asset":"a","t":1795435200000,"values":{"p":1e400}}'),
      { code: 'value-not-finite', value: 'Infinity' },
    ],
    ['a missing time', one({ t: undefined }), { code: 'time-type', path: 't' }],
    ['half a millisecond', one({ t: NOW_MS + 0.5 }), { code: 'time-type' }],
    ['a time without zone', one({ t: '2026-11-23T12:00:00' }), { code: 'time-zone-missing' }],
    [
      'a far future',
      one({ t: NOW_MS + 300_001 }),
      { code: 'time-future', value: String(NOW_MS + 300_001) },
    ],
    ['a far past', one({ t: NOW_MS - 3651 * 86_400_000 }), { code: 'time-past' }],
    ['seconds instead of ms', one({ t: NOW_MS / 1000 }), { code: 'time-past' }],
    [
      'columns that do not fit',
      columns({ values: [[1, 2]] }),
      { code: 'columns-length', path: 'values', rows: 2 },
    ],
    [
      'a short column',
      columns({ values: [[1, 2], [3]] }),
      { code: 'columns-length', path: 'values[1]' },
    ],
    [
      'a signal named twice',
      columns({ signals: ['p', 'p'] }),
      { code: 'signal-duplicate', path: 'signals[1]' },
    ],
    ['columns without times', columns({ t: [] }), { code: 'shape', path: 't' }],
    ['columns with a bad asset', columns({ asset: '' }), { code: 'asset-name', rows: 2 }],
  ])('refuses %s', (_what, document, expected) => {
    expect(refusalOf(document)).toMatchObject(expected);
  });

  it('refuses 257 signals and takes 256', () => {
    const many = (count: number) =>
      one({ values: Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, i])) });
    expect(refusalOf(many(257))).toMatchObject({ code: 'signals-too-many', value: '257 signals' });
    const intake = anIntake();
    readJson(many(256), intake, {});
    expect(intake.accepted).toHaveLength(1);
  });

  it('takes times up to its bounds', () => {
    const intake = anIntake({ futureMsMax: 1000, pastMsMax: 1000 });
    readJson([one({ t: NOW_MS + 1000 }), one({ t: NOW_MS - 1000 })], intake, {});
    expect(intake.accepted).toHaveLength(2);
    readJson([one({ t: NOW_MS + 1001 }), one({ t: NOW_MS - 1001 })], intake, {});
    expect([...intake.refusedByCode]).toEqual([
      ['time-future', 1],
      ['time-past', 1],
    ]);
  });

  it('names the bad cell of a block and takes the other rows', () => {
    const intake = anIntake();
    readJson(
      [
        columns({
          values: [
            [1, 'x'],
            [3, 4],
          ],
        }),
      ],
      intake,
      {},
    );
    expect(intake.accepted).toHaveLength(1);
    expect(intake.refusals[0]).toMatchObject({ row: 1, path: '[0].values[0][1]', value: '"x"' });
  });

  it('says of an answer no more than a hundred faults, and counts them all', () => {
    const intake = anIntake();
    readJson(
      Array.from({ length: 250 }, () => 5),
      intake,
      {},
    );
    expect(intake.refusals).toHaveLength(100);
    expect(intake.refusedCount).toBe(250);
  });

  it('does not print what is nested a million levels deep', () => {
    const text = `{"asset":"a","t":1,"values":{"p":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`;
    const intake = anIntake();
    readJsonText(text, intake, {});
    expect(intake.refusals[0]).toMatchObject({ code: 'value-type', value: 'array of 1' });
  });
});

describe('readJson with listed assets', () => {
  const listed = {
    assetMode: 'listed' as const,
    assets: [
      { asset: 'pump-1', signals: [{ name: 'pressure', min: 0, max: 10 }, { name: 'flow' }] },
      { asset: 'pump-2' },
    ],
  };

  it('refuses an asset that is not listed and says which are', () => {
    expect(refusalOf(one({ asset: 'pump-3' }), listed)).toMatchObject({
      code: 'asset-unknown',
      value: '"pump-3"',
      allowed: 'must be one of "pump-1", "pump-2"',
    });
  });

  it('refuses a signal that the asset does not have', () => {
    expect(refusalOf(one({ values: { heat: 1 } }), listed)).toMatchObject({
      code: 'signal-unknown',
      path: 'values.heat',
      allowed: 'must be one of "pressure", "flow"',
    });
  });

  it.each([-0.001, 10.001])('refuses %d, which is out of range', (pressure) => {
    expect(refusalOf(one({ values: { pressure } }), listed)).toMatchObject({
      code: 'value-range',
      allowed: 'must be between 0 and 10',
    });
  });

  it.each([0, 10])('takes the bound %d itself', (pressure) => {
    const intake = anIntake(listed);
    readJson(one({ values: { pressure } }), intake, {});
    expect(intake.accepted).toHaveLength(1);
  });

  it('takes any signal of an asset that is listed without signals', () => {
    const intake = anIntake(listed);
    readJson(one({ asset: 'pump-2', values: { heat: 1e9 } }), intake, {});
    expect(intake.accepted).toHaveLength(1);
  });

  it('keeps known assets to their signals also when any asset is welcome', () => {
    expect(refusalOf(one({ values: { heat: 1 } }), { ...listed, assetMode: 'any' })).toMatchObject({
      code: 'signal-unknown',
    });
  });
});

describe('readNdjson', () => {
  it('names the line and the column of what is not JSON', () => {
    const intake = anIntake({ unit: 'line' });
    readNdjson(`${JSON.stringify(one())}\n\n{"asset":"a","t":NaN}\n`, intake, {});
    expect(intake.accepted).toHaveLength(1);
    expect(intake.refusals[0]).toMatchObject({
      line: 3,
      code: 'json-syntax',
      path: 'line 1, column 18',
      value: '"NaN}"',
    });
  });

  it('reads lines with CRLF and a last line without end', () => {
    const intake = anIntake({ unit: 'line' });
    readNdjson(`${JSON.stringify(one())}\r\n${JSON.stringify(columns())}`, intake, {});
    expect(intake.places).toEqual([1, 2, 2]);
  });

  it('refuses a line beyond its limit', () => {
    const intake = anIntake({ unit: 'line' });
    readNdjson(`${' '.repeat(1024 * 1024 + 1)}\n${JSON.stringify(one())}`, intake, {});
    expect(intake.refusals[0]).toMatchObject({ line: 1, code: 'line-too-long' });
    expect(intake.accepted).toHaveLength(1);
  });
});
