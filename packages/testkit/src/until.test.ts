import { describe, expect, it } from '@jest/globals';
import { until } from './until.ts';

describe('until', () => {
  it('gives the first truthy value', async () => {
    let n = 0;
    expect(await until(() => (++n >= 3 ? { n } : undefined), { every: 1 })).toEqual({ n: 3 });
  });

  it('takes a condition that throws for one that is not met yet', async () => {
    let n = 0;
    const condition = async (): Promise<boolean> => {
      if (++n < 3) throw new Error('not yet');
      return true;
    };
    expect(await until(condition, { every: 1 })).toBe(true);
  });

  it('says what was waited for and what was seen last', async () => {
    const value = 0;
    await expect(until(() => value, { timeoutMs: 5, every: 1 })).rejects.toThrow(
      /waited 5 ms in vain for: .*value.*last value 0/,
    );
    await expect(
      until(() => Promise.reject(new Error('no hub')), { timeoutMs: 5, what: () => 'the hub' }),
    ).rejects.toThrow(/for: the hub \(\d+ looks, last error: no hub\)/);
  });
});
