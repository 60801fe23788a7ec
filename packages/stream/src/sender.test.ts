import { describe, expect, it } from '@jest/globals';
import { StreamSender } from './sender.ts';

const at = (appended: number, receipted = 0): StreamSender =>
  new StreamSender({ stream: 's', epoch: 'e', appended, receipted }, { credit: 2 });
/** Sends as long as the sender says so, `rows` a batch; gives the ranges. */
const pump = (sender: StreamSender, nowMs: number, rows = 10): [number, number][] => {
  const ranges: [number, number][] = [];
  for (;;) {
    const step = sender.next(nowMs);
    if (step.kind === 'wait') return ranges;
    const range = {
      first: step.after + 1,
      last: Math.min(step.after + rows, sender.status.appended),
    };
    sender.sent(range, nowMs);
    ranges.push([range.first, range.last]);
  }
};
const receipt = (through: number): { epoch: string; through: number } => ({ epoch: 'e', through });

describe('StreamSender', () => {
  it('sends from its receipt on, as far as credit goes', () => {
    const sender = at(100, 5);
    expect(pump(sender, 0)).toEqual([
      [6, 15],
      [16, 25],
    ]);
    expect(sender.receipt(receipt(15), 10)).toEqual({ kind: 'advanced', through: 15 });
    expect(pump(sender, 10)).toEqual([[26, 35]]);
    expect(sender.status).toMatchObject({
      inFlightBatches: 2,
      sent: 35,
      receipted: 15,
      resends: 0,
    });
  });

  it('has nothing to do until something is appended', () => {
    const sender = at(0);
    expect(sender.next(0)).toEqual({ kind: 'wait', untilMs: undefined });
    sender.appended(3);
    expect(pump(sender, 0)).toEqual([[1, 3]]);
  });

  it('waits for receipts no longer than the timeout, then sends one batch from the receipt', () => {
    const sender = at(100);
    pump(sender, 0);
    expect(sender.next(1)).toEqual({ kind: 'wait', untilMs: 1_000 });
    expect(pump(sender, 999)).toEqual([]);
    expect(pump(sender, 1_000)).toEqual([[1, 10]]);
    expect(sender.next(1_000)).toEqual({ kind: 'wait', untilMs: 3_000 });
    expect(sender.status).toMatchObject({ resends: 1, timeouts: 1, window: 1 });
    sender.receipt(receipt(10), 1_500);
    expect(pump(sender, 1_500)).toEqual([
      [11, 20],
      [21, 30],
    ]);
    expect(sender.status).toMatchObject({ resends: 2, window: 2 });
  });

  it('sends one message a minute at most to a receiver that is away', () => {
    const sender = at(1_000_000);
    let sent = 0;
    const hour = 3_600_000;
    for (let nowMs = 0; nowMs < 10 * hour; nowMs += 100) sent += pump(sender, nowMs).length;
    expect(sent).toBeLessThanOrEqual(10 * 60 + 10);
  });

  it('does not measure the round trip of a batch that was sent twice', () => {
    const sender = at(100);
    pump(sender, 0);
    pump(sender, 1_000);
    sender.receipt(receipt(10), 1_001);
    expect(sender.status.roundTripMs).toBeUndefined();
    expect(sender.status.timeoutMs).toBe(2_000);
    pump(sender, 1_001);
    sender.receipt(receipt(30), 1_101);
    expect(sender.status.roundTripMs).toBe(100);
    expect(sender.status.timeoutMs).toBe(300);
  });

  it('restarts the timer with each receipt that is progress', () => {
    const sender = at(20);
    pump(sender, 0);
    sender.receipt(receipt(10), 900);
    expect(sender.next(900)).toEqual({ kind: 'wait', untilMs: 900 + sender.status.timeoutMs });
    sender.receipt(receipt(20), 950);
    expect(sender.next(950)).toEqual({ kind: 'wait', untilMs: undefined });
  });

  it('ignores receipts it knows and those of another epoch, and counts them', () => {
    const sender = at(100);
    pump(sender, 0);
    sender.receipt(receipt(10), 1);
    expect(sender.receipt(receipt(10), 2)).toEqual({ kind: 'stale' });
    expect(sender.receipt(receipt(3), 2)).toEqual({ kind: 'stale' });
    expect(sender.receipt({ epoch: 'f', through: 20 }, 2)).toEqual({ kind: 'other-epoch' });
    expect(sender.status).toMatchObject({ receipted: 10, staleReceipts: 2, otherEpochReceipts: 1 });
  });

  it('reports a receipt for more than was ever appended', () => {
    const sender = at(100);
    expect(sender.receipt(receipt(101), 0)).toEqual({ kind: 'diverged' });
    expect(sender.receipt(receipt(100), 0)).toEqual({ kind: 'advanced', through: 100 });
  });

  it('does not send again what a late receipt covers', () => {
    const sender = at(100);
    pump(sender, 0);
    sender.rewind();
    sender.receipt(receipt(20), 5);
    expect(pump(sender, 5)).toEqual([
      [21, 30],
      [31, 40],
    ]);
  });

  it('goes back to the receipt when told to, with the window it had', () => {
    const sender = at(100);
    pump(sender, 0);
    sender.receipt(receipt(10), 5);
    sender.rewind();
    expect(pump(sender, 6)).toEqual([
      [11, 20],
      [21, 30],
    ]);
    expect(sender.status.resends).toBe(1);
  });

  it('says with each batch up to where it has receipts', () => {
    const sender = at(100, 50);
    expect(sender.next(0)).toEqual({ kind: 'send', after: 50, base: 50 });
    sender.sent({ first: 51, last: 60 }, 0);
    expect(sender.next(0)).toEqual({ kind: 'send', after: 60, base: 50 });
    sender.receipt(receipt(60), 1);
    expect(sender.next(1)).toEqual({ kind: 'send', after: 60, base: 60 });
  });

  it('sends nothing behind the number where it must stop, and again what stands before', () => {
    const sender = at(100);
    sender.stopAfter(10);
    expect(pump(sender, 0)).toEqual([[1, 10]]);
    const step = sender.next(1);
    if (step.kind !== 'wait' || step.untilMs === undefined) throw new Error('it does not wait');
    expect(pump(sender, step.untilMs)).toEqual([[1, 10]]);
    sender.receipt(receipt(10), step.untilMs);
    expect(sender.next(step.untilMs)).toEqual({ kind: 'wait', untilMs: undefined });
  });

  it('passes over lost rows for good, and says so with the base', () => {
    const sender = at(100);
    sender.stopAfter(10);
    pump(sender, 0);
    sender.receipt(receipt(10), 1);
    sender.passOver(30);
    sender.stopAfter(Number.POSITIVE_INFINITY);
    expect(sender.next(1)).toEqual({ kind: 'send', after: 30, base: 30 });
    sender.rewind();
    expect(sender.next(2)).toEqual({ kind: 'send', after: 30, base: 30 });
    // Applied before the damage was done.
    sender.receipt(receipt(20), 3);
    expect(sender.next(3)).toEqual({ kind: 'send', after: 30, base: 30 });
    sender.receipt(receipt(40), 4);
    expect(sender.next(4)).toEqual({ kind: 'send', after: 40, base: 40 });
  });

  it('takes a new credit', () => {
    const sender = at(100);
    expect(pump(sender, 0).length).toBe(2);
    sender.setCredit(5);
    expect(pump(sender, 0).length).toBe(3);
    sender.setCredit(1);
    sender.receipt(receipt(40), 1);
    expect(pump(sender, 1).length).toBe(0);
  });

  it('refuses a range that was not asked for', () => {
    const sender = at(10);
    expect(() => sender.sent({ first: 2, last: 3 }, 0)).toThrow(RangeError);
    expect(() => sender.sent({ first: 1, last: 11 }, 0)).toThrow(RangeError);
    expect(() => sender.sent({ first: 1, last: 0 }, 0)).toThrow(RangeError);
  });
});
