import { describe, expect, it } from '@jest/globals';
import { locateJsonError } from './locate-json-error.ts';

describe('locateJsonError', () => {
  it.each([
    ['{"t": NaN}', 6],
    ['{"t": 1,}', 8],
    ["{'t': 1}", 1],
    ['{"t": 01}', 6],
    ['{"t": 1', 7],
    ['[1, 2', 5],
    ['[1 2]', 3],
    ['[1]]', 3],
    ['', 0],
    ['{"t" 1}', 5],
    ['{"t": tru}', 6],
    ['"a\nb"', 0],
    ['[1}', 2],
    ['-', 0],
  ])('finds the place in %s', (text, offset) => {
    expect(locateJsonError(text)?.offset).toBe(offset);
  });

  it('counts lines and columns from 1', () => {
    expect(locateJsonError('{\n  "t": NaN\n}')).toMatchObject({ line: 2, column: 8 });
  });

  it.each(['{}', '[]', ' {"a": [1, -2.5e3, "x\\u00e9", null, true]} ', '0', '"a"'])(
    'finds nothing in %s',
    (text) => {
      expect(locateJsonError(text)).toBeUndefined();
    },
  );

  it('survives a million open brackets', () => {
    expect(locateJsonError('['.repeat(1_000_000))?.offset).toBe(1_000_000);
  });
});
