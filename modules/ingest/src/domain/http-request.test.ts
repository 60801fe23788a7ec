import { describe, expect, it } from '@jest/globals';
import { formatOf, keyFault, waitSecsOf } from './http-request.ts';

describe('formatOf', () => {
  it.each([
    ['application/json', 'json'],
    ['Application/JSON; charset=UTF-8', 'json'],
    ['application/x-ndjson', 'ndjson'],
    ['text/csv; header=present', 'csv'],
  ])('reads %s', (type, format) => {
    expect(formatOf(type)).toBe(format);
  });

  it.each([undefined, '', 'text/plain', 'application/xml', 'application/json; charset=latin1'])(
    'refuses %p',
    (type) => {
      expect(formatOf(type)).toMatchObject({ fault: { code: 'media-type' } });
    },
  );
});

describe('waitSecsOf', () => {
  it.each([
    ['wait=5', 5],
    ['respond-async, wait=10', 10],
    ['wait="7"; x=y', 7],
    ['wait=600', 30],
  ])('reads %s', (header, secs) => {
    expect(waitSecsOf(header)).toBe(secs);
  });

  it.each([undefined, '', 'return=minimal', 'wait=x', 'waiting=5'])(
    'finds no wait in %p',
    (header) => {
      expect(waitSecsOf(header)).toBeUndefined();
    },
  );
});

describe('keyFault', () => {
  it('wants 1 to 128 visible characters', () => {
    expect(keyFault('a'.repeat(128))).toBeUndefined();
    expect(keyFault('a'.repeat(129))).toBeDefined();
    expect(keyFault('a b')).toBeDefined();
    expect(keyFault('')).toBeDefined();
  });
});
