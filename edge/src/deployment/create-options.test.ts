import { describe, expect, it } from '@jest/globals';
import { chunkCreateOptions, joinCreateOptions } from './create-options.ts';

const text = (length: number): string => JSON.stringify('x'.repeat(length - 2));

describe('createOptions', () => {
  it('stays one string up to 512 characters', () => {
    expect(chunkCreateOptions({ image: 'i', createOptions: text(512) })).toEqual({
      image: 'i',
      createOptions: text(512),
    });
  });

  it('gets a second chunk with the 513th character', () => {
    const chunked = chunkCreateOptions({ createOptions: text(513) });
    expect(Object.keys(chunked ?? {})).toEqual(['createOptions', 'createOptions01']);
    expect(chunked?.createOptions).toHaveLength(512);
    expect(chunked?.createOptions01).toHaveLength(1);
  });

  it('has eight chunks at most', () => {
    const chunked = chunkCreateOptions({ createOptions: text(4096) }) ?? {};
    expect(Object.keys(chunked)).toHaveLength(8);
    expect(Object.keys(chunked).at(-1)).toBe('createOptions07');
    expect(chunkCreateOptions({ createOptions: text(4097) })).toBeUndefined();
  });

  it('is the same text after chunks are joined', () => {
    const chunked = chunkCreateOptions({ createOptions: { Env: ['A='.padEnd(1500, 'ä')] } });
    expect(JSON.parse(joinCreateOptions(chunked ?? {}))).toEqual({ Env: ['A='.padEnd(1500, 'ä')] });
  });

  it('leaves no chunk of an earlier, longer text', () => {
    expect(chunkCreateOptions({ createOptions: '{', createOptions01: '}' })).toEqual({
      createOptions: '{}',
    });
  });

  it('is an empty string when a module has none', () => {
    expect(chunkCreateOptions({ image: 'i' })).toEqual({ image: 'i', createOptions: '' });
  });
});
