import { describe, expect, it } from '@jest/globals';
import type { StreamBatch, StreamReceipt } from './port.ts';
import { StreamReceiver } from './receiver.ts';

const batch = (first: number, last: number, epoch = 'e', stream = 's'): StreamBatch => ({
  stream,
  epoch,
  first,
  last,
  base: 0,
});
const after = (base: number, first: number, last: number): StreamBatch => ({
  ...batch(first, last),
  base,
});
const at = (positions: StreamReceipt[] = [], parkedMax = 2): StreamReceiver<StreamBatch> =>
  new StreamReceiver({ parkedMax }, positions);
const through = (value: number, epoch = 'e'): StreamReceipt => ({
  stream: 's',
  epoch,
  through: value,
});

describe('StreamReceiver', () => {
  it('applies batches in order and gives one receipt for all that is committed', () => {
    const receiver = at();
    expect(receiver.offer(batch(1, 5))).toEqual({
      apply: [{ batch: batch(1, 5), from: 1 }],
      outcome: 'applied',
      dropped: 0,
    });
    receiver.committed();
    receiver.offer(batch(6, 7));
    receiver.committed();
    expect(receiver.takeReceipts()).toEqual([through(7)]);
    expect(receiver.takeReceipts()).toEqual([]);
  });

  it('cuts off what it has', () => {
    expect(at([through(3)]).offer(batch(2, 5)).apply).toEqual([{ batch: batch(2, 5), from: 4 }]);
  });

  it('gives no receipt for what is not committed, and remembers that it owes one', () => {
    const receiver = at([through(3)]);
    receiver.offer(batch(4, 5));
    expect(receiver.takeReceipts()).toEqual([]);
    expect(receiver.position('s', 'e')).toBe(5);
    receiver.offer(batch(1, 2));
    expect(receiver.takeReceipts()).toEqual([through(3)]);
    receiver.committed();
    expect(receiver.takeReceipts()).toEqual([through(5)]);
  });

  it('drops what it has and gives its receipt again', () => {
    const receiver = at([through(5)]);
    expect(receiver.offer(batch(1, 5))).toEqual({ apply: [], outcome: 'duplicate', dropped: 0 });
    expect(receiver.takeReceipts()).toEqual([through(5)]);
  });

  it('parks what comes early and applies it in its turn, cut where it overlaps', () => {
    const receiver = at([], 9);
    expect(receiver.offer(batch(4, 6)).outcome).toBe('parked');
    expect(receiver.offer(batch(6, 9)).outcome).toBe('parked');
    expect(receiver.offer(batch(2, 5)).outcome).toBe('parked');
    expect(receiver.offer(batch(4, 6)).outcome).toBe('duplicate');
    expect(receiver.parked).toBe(3);
    const applied = receiver
      .offer(batch(1, 3))
      .apply.map(({ batch: { last }, from }) => [from, last]);
    expect(applied).toEqual([
      [1, 3],
      [4, 6],
      [7, 9],
    ]);
    expect(receiver.parked).toBe(0);
    expect(receiver.position('s', 'e')).toBe(9);
  });

  it('says where it stands when a batch comes early', () => {
    const receiver = at([through(3)]);
    receiver.offer(batch(9, 10));
    expect(receiver.takeReceipts()).toEqual([through(3)]);
  });

  it('keeps the longer of two parked batches with the same beginning', () => {
    const receiver = at();
    receiver.offer(batch(3, 4));
    expect(receiver.offer(batch(3, 6)).outcome).toBe('parked');
    receiver.offer(batch(1, 2));
    expect(receiver.position('s', 'e')).toBe(6);
  });

  it('parks no more than its bound a stream, and drops what waited longest', () => {
    const receiver = at();
    expect(
      [batch(3, 3), batch(5, 5), batch(7, 7)].map((early) => receiver.offer(early).dropped),
    ).toEqual([0, 0, 1]);
    expect(receiver.offer(batch(2, 2, 'e', 'other')).dropped).toBe(0);
    expect(receiver.parked).toBe(3);
    receiver.offer(batch(1, 2));
    expect(receiver.position('s', 'e')).toBe(2);
    receiver.offer(batch(3, 4));
    expect(receiver.position('s', 'e')).toBe(5);
  });

  it('goes past what a lost store has receipted, says which rows, and applies the batch', () => {
    const receiver = at([through(3)]);
    expect(receiver.offer(after(60, 61, 70))).toEqual({
      skipped: { first: 4, last: 60 },
      apply: [{ batch: after(60, 61, 70), from: 61 }],
      outcome: 'applied',
      dropped: 0,
    });
    receiver.committed();
    expect(receiver.takeReceipts()).toEqual([through(70)]);
  });

  it.each([0, 59, 60])('skips nothing when it has all up to the base of %d', (base) => {
    const receiver = at([through(60)]);
    expect(receiver.offer(after(base, 61, 70))).not.toHaveProperty('skipped');
    expect(receiver.position('s', 'e')).toBe(70);
  });

  it('goes past the gap with a batch that is early behind it too, and gives that receipt', () => {
    const receiver = at();
    expect(receiver.offer(after(60, 71, 80))).toMatchObject({
      skipped: { first: 1, last: 60 },
      apply: [],
      outcome: 'parked',
    });
    expect(receiver.position('s', 'e')).toBe(60);
    receiver.committed();
    expect(receiver.takeReceipts()).toEqual([through(60)]);
    expect(receiver.offer(after(60, 61, 70)).apply.length).toBe(2);
  });

  it('applies what was parked and is due behind the gap, and forgets what lies in it', () => {
    const receiver = at([], 9);
    receiver.offer(batch(10, 20));
    receiver.offer(batch(55, 65));
    expect(receiver.offer(after(60, 71, 80))).toMatchObject({
      skipped: { first: 1, last: 60 },
      apply: [{ batch: batch(55, 65), from: 61 }],
      outcome: 'parked',
    });
    expect(receiver.parked).toBe(1);
  });

  it('keeps one position for each epoch, and begins an unknown one at 1', () => {
    const receiver = at([through(5)]);
    expect(receiver.offer(batch(2, 2, 'f')).outcome).toBe('parked');
    expect(receiver.offer(batch(1, 1, 'f')).apply.length).toBe(2);
    expect(receiver.offer(batch(6, 7)).apply).toEqual([{ batch: batch(6, 7), from: 6 }]);
    receiver.committed();
    expect(receiver.takeReceipts()).toEqual([through(7), through(2, 'f')]);
    expect(receiver.position('s', 'unknown')).toBe(0);
  });
});
