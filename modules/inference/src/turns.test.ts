import { describe, expect, it } from '@jest/globals';
import { Turns } from './turns.ts';

describe('turns of the event loop', () => {
  it('come one at a time and in order', async () => {
    const turns = new Turns();
    const seen: string[] = [];
    const take = async (name: string) => {
      await turns.next();
      seen.push(name);
      setImmediate(() => seen.push(`after ${name}`));
    };
    await Promise.all([take('one'), take('two'), take('three')]);
    expect(seen.filter((name) => !name.startsWith('after'))).toEqual(['one', 'two', 'three']);
    expect(seen.indexOf('after one')).toBeLessThan(seen.indexOf('three'));
  });
});
