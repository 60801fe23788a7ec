import { describe, expect, it } from '@jest/globals';
import { packBody, unpackBody } from './stored-body.ts';

const text = (length: number): Buffer =>
  Buffer.from('{"t":[1,2,3]}'.repeat(length).slice(0, length));

describe('bodies on disk', () => {
  it('stores a long body compressed and gives it back', () => {
    const body = text(100_000);
    const { stored, encoding } = packBody(body);
    expect(encoding).toBe('zstd');
    expect(stored.length).toBeLessThan(1_000);
    expect(unpackBody(stored, encoding).equals(body)).toBe(true);
  });

  it('stores a short body as it is', () => {
    const body = text(4_095);
    expect(packBody(body)).toEqual({ stored: body });
    expect(unpackBody(body, undefined)).toBe(body);
  });

  it('stores a body as it is when compression gains nothing', () => {
    let state = 1;
    const noise = Buffer.from(
      Array.from({ length: 8_192 }, () => {
        state = Math.imul(state, 1_103_515_245) + 12_345;
        return state >>> 24;
      }),
    );
    expect(packBody(noise).encoding).toBeUndefined();
  });

  it('throws when the stored bytes are damaged, instead of giving something else', () => {
    const { stored, encoding } = packBody(text(100_000));
    expect(() => unpackBody(stored.subarray(0, stored.length - 10), encoding)).toThrow();
  });
});
