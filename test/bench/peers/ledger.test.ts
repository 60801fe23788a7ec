import { describe, expect, it } from '@jest/globals';
import { Ledger } from './ledger.ts';
import { numberOfReading, reading } from './readings.ts';

describe('the ledger of a run', () => {
  it('counts what was acknowledged and is not stored as lost', () => {
    const ledger = new Ledger();
    ledger.acknowledge(0, 10);
    expect(ledger.compare([0, 1, 2, 4, 5, 6, 7, 9])).toEqual({
      acknowledged: 10,
      ...{ stored: 8, lost: 2, doubled: 0, unacknowledged: 0 },
    });
  });

  it('counts each further copy as doubled, and keeps what was never acknowledged apart', () => {
    const ledger = new Ledger();
    ledger.acknowledge(5, 2);
    expect(ledger.compare([5, 5, 5, 6, 7])).toEqual({
      acknowledged: 2,
      ...{ stored: 3, lost: 0, doubled: 2, unacknowledged: 1 },
    });
  });

  it('counts a reading that is acknowledged twice once', () => {
    const ledger = new Ledger();
    ledger.acknowledge(0, 4);
    ledger.acknowledge(2, 4);
    expect(ledger.compare([]).lost).toBe(6);
  });

  it('refuses a store that holds what nobody sent', () => {
    expect(() => new Ledger().compare([Number.NaN])).toThrow('nobody sent');
  });

  it('knows every reading again by asset and time', () => {
    for (const n of [0, 1, 7, 8, 4_799, 4_800, 1_000_003]) {
      const { asset, t, values } = reading(n);
      expect(numberOfReading(asset, t)).toBe(n);
      expect(Object.keys(values)).toHaveLength(8);
    }
  });
});
