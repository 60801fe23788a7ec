/** Goal: the judge of all fault scenarios sees each way to be wrong. Method: small books, wrong in one way each. */
import { describe, expect, it } from '@jest/globals';
import { describeDiscrepancies, Ledger, Tally } from './ledger.ts';

const reading = (t: number) => ({ asset: 'pump', t });

function compare(books: { sent: number[]; acknowledged: number[]; found: number[] }) {
  const ledger = new Ledger();
  ledger.sent(books.sent.map(reading));
  ledger.acknowledge(books.acknowledged.map(reading));
  const tally = new Tally();
  for (const t of books.found) tally.add(reading(t));
  return describeDiscrepancies(ledger.compare(tally));
}

describe('a ledger', () => {
  it('is content when what was acknowledged is found once, whatever became of what was not', () => {
    expect(compare({ sent: [1, 2, 3], acknowledged: [1, 2], found: [1, 2] })).toBeUndefined();
    expect(compare({ sent: [1, 2, 3], acknowledged: [1, 2], found: [1, 2, 3] })).toBeUndefined();
  });

  it('names what is lost, doubled or invented', () => {
    expect(compare({ sent: [1, 2], acknowledged: [1, 2], found: [2] })).toBe(
      '1 readings lost (pump at 1)',
    );
    expect(compare({ sent: [1], acknowledged: [], found: [1, 1] })).toBe(
      '1 readings doubled (pump at 1)',
    );
    expect(compare({ sent: [1], acknowledged: [1], found: [1, 9] })).toBe(
      '1 readings invented (pump at 9)',
    );
  });

  it('refuses a source that gives a time twice', () => {
    expect(() => compare({ sent: [1, 1], acknowledged: [], found: [] })).toThrow('repeats itself');
  });
});
