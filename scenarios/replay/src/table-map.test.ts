import { describe, expect, it } from '@jest/globals';
import { timeOf } from './read-rows.ts';
import { applyUserMap, describeTableMap, guessTableMap } from './table-map.ts';

describe('guessing how a table is read', () => {
  it('finds delimiter, time, signals and labels of a testbed log', () => {
    const map = guessTableMap('datetime;Current;Volume Flow RateRMS;anomaly;changepoint', [
      '2020-03-09 10:14:33;1.33;32.0;0.0;0.0',
      '2020-03-09 10:14:34;;32.5;0.0;0.0',
    ]);
    expect(map).toEqual({
      delimiter: ';',
      time: 'datetime',
      asset: undefined,
      signals: { Current: 'Current', 'Volume Flow RateRMS': 'Volume Flow RateRMS' },
      labels: ['anomaly', 'changepoint'],
      ignored: [],
    });
  });

  it('takes an asset column, and leaves out columns of text', () => {
    const map = guessTableMap('ts,machine_id,"temp",note', [
      '1,press 4,20.5,fine',
      '2,press 5,21,hot',
    ]);
    expect(map).toMatchObject({
      asset: 'machine_id',
      signals: { temp: 'temp' },
      ignored: ['note'],
    });
    expect(describeTableMap(map).join('\n')).toContain('ignored: note');
  });

  it('names the header when there is no time column', () => {
    expect(() => guessTableMap('a,b', ['1,2'])).toThrow(/no time column in the header "a,b"/);
  });

  it('lets the user overrule the guess, and names a key that it does not know', () => {
    const guessed = guessTableMap('time,a', ['1,2']);
    expect(applyUserMap(guessed, { signals: { a: 'Pressure' } }).signals).toEqual({
      a: 'Pressure',
    });
    expect(() => applyUserMap(guessed, { signal: {} })).toThrow(/map\.signal: \{\} is not allowed/);
  });

  it('reads times as UTC and leaves what is no time as it was', () => {
    expect(timeOf('2020-03-09 10:14:33')).toBe(Date.UTC(2020, 2, 9, 10, 14, 33));
    expect(timeOf('2020-03-09T10:14:33+01:00')).toBe(Date.UTC(2020, 2, 9, 9, 14, 33));
    expect(timeOf('1583748873')).toBe(1_583_748_873_000);
    expect(timeOf('2020-13-09 10:14:33')).toBe('2020-13-09 10:14:33');
  });
});
