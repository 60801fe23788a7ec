import { describe, expect, it } from '@jest/globals';
import { anIntake, NOW_MS } from '../testing/an-intake.ts';
import { readCsv } from './read-csv.ts';

const T = new Date(NOW_MS).toISOString();

function intakeOf(text: string, options: Parameters<typeof readCsv>[2] = {}, utc = false) {
  const intake = anIntake({ unit: 'line', utc });
  readCsv(text, intake, options);
  return intake;
}

describe('readCsv', () => {
  it('reads rows, and an empty cell as a missing value', () => {
    const intake = intakeOf(`asset,t,pressure,flow\np1,${T},1.5,\np2,${NOW_MS},-2e3,0\n`);
    expect(intake.refusals).toEqual([]);
    expect(intake.accepted).toEqual([
      { asset: 'p1', t: NOW_MS, signals: ['pressure', 'flow'], values: [1.5, null] },
      { asset: 'p2', t: NOW_MS, signals: ['pressure', 'flow'], values: [-2000, 0] },
    ]);
  });

  it('takes the asset of the request, another delimiter, any order of columns and a byte order mark', () => {
    const intake = intakeOf(`\uFEFFVolume Flow RateRMS;t\r\n1;${T}\r\n`, {
      asset: 'p1',
      delimiter: ';',
    });
    expect(intake.accepted).toEqual([
      { asset: 'p1', t: NOW_MS, signals: ['Volume Flow RateRMS'], values: [1] },
    ]);
  });

  it('reads quoted cells', () => {
    const intake = intakeOf(`"asset",t,"a (b)"\n"p1","${T}","1.5"\n`);
    expect(intake.accepted).toEqual([
      { asset: 'p1', t: NOW_MS, signals: ['a (b)'], values: [1.5] },
    ]);
  });

  it.each([
    ['text', 'p1,T,abc', { line: 2, code: 'value-type', path: 'a', value: '"abc"' }],
    ['NaN', 'p1,T,NaN', { code: 'value-type', value: '"NaN"' }],
    ['Infinity', 'p1,T,Infinity', { code: 'value-type', value: '"Infinity"' }],
    ['a hexadecimal number', 'p1,T,0x10', { code: 'value-type' }],
    ['a decimal comma', 'p1,T,"1,5"', { code: 'value-type', value: '"1,5"' }],
    ['1e999', 'p1,T,1e999', { code: 'value-not-finite' }],
    ['too few cells', 'p1,T', { code: 'csv-cells', value: '2' }],
    ['too many cells', 'p1,T,1,2', { code: 'csv-cells', value: '4' }],
    ['an open quote', 'p1,T,"1', { code: 'csv-cells' }],
    ['an empty asset', ',T,1', { code: 'asset-name', path: 'asset' }],
    ['a bad time', 'p1,yesterday,1', { code: 'time-type', path: 't' }],
    ['a time without zone', 'p1,2026-11-23 12:00:00,1', { code: 'time-zone-missing' }],
  ])('refuses %s and reads on', (_what, row, expected) => {
    const intake = intakeOf(`asset,t,a\n${row.replace('T', T)}\np1,${T},1\n`);
    expect(intake.accepted).toHaveLength(1);
    expect(intake.places).toEqual([3]);
    expect(intake.refusals).toEqual([expect.objectContaining(expected)]);
  });

  it.each([
    ['no asset', 't,a', { code: 'csv-header', allowed: 'must name a column "asset"' }],
    ['no time', 'asset,a', { code: 'csv-header', allowed: 'must name a column "t"' }],
    ['no signal', 'asset,t', { code: 'signals-none' }],
    ['a column twice', 'asset,t,a,a', { code: 'signal-duplicate', value: '"a"' }],
    ['a bad name', 'asset,t,a/b', { code: 'signal-name', value: '"a/b"' }],
    ['an empty text', '', { code: 'csv-header' }],
  ])('refuses a header with %s', (_what, header, expected) => {
    const intake = intakeOf(`${header}\np1,${T},1\n`);
    expect(intake.accepted).toHaveLength(0);
    expect(intake.refusals[0]).toMatchObject({ line: 1, path: 'header', ...expected });
  });

  it('counts empty lines and keeps the numbers of lines right', () => {
    const intake = intakeOf(`asset,t,a\n\np1,${T},x\n`);
    expect(intake.refusals[0]?.line).toBe(3);
  });

  it('takes times without zone as UTC when told so', () => {
    expect(intakeOf('asset,t,a\np1,2026-11-23 12:00:00,1\n', {}, true).accepted[0]?.t).toBe(NOW_MS);
  });
});
