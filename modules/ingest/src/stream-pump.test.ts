import { join } from 'node:path';
import { ReadingsMessage } from '@holdfast/contracts';
import { Journal } from '@holdfast/journal';
import { readings, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { StreamPump } from './stream-pump.ts';

const nothing = (): void => undefined;

/** A pump on a real journal with one stream, and a transport that does what the test says. */
class Bench {
  readonly journal: Journal;
  readonly pump: StreamPump;
  readonly sent: ReadingsMessage[] = [];
  readonly fatal: Error[] = [];
  /** Codes with which the next sends fail. */
  failures: string[] = [];
  connected = true;

  constructor(settings: { credit: number; lingerMs: number }) {
    let epochs = 0;
    this.journal = Journal.open({
      path: join(temporaryFolder(), 'journal.db'),
      partitions: 1,
      streamPrefix: 'ingest',
      newEpoch: () => {
        epochs += 1;
        return `epoch-${epochs}`;
      },
      wallMs: () => Date.now(),
    });
    this.pump = new StreamPump(
      0,
      {
        journal: this.journal,
        clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
        log: { error: nothing, warn: nothing, info: nothing, debug: nothing },
        connected: () => this.connected,
        send: async ({ body }) => {
          const code = this.failures.shift();
          if (code !== undefined) throw Object.assign(new Error(code), { code });
          this.sent.push(ReadingsMessage.parse(JSON.parse(body)));
        },
        fatal: ((error: Error) => {
          this.fatal.push(error);
        }) as (error: Error) => never,
        onSent: nothing,
      },
      settings,
    );
  }

  append(count: number): void {
    this.journal.append(readings(count));
    this.pump.grown();
  }

  receipt(through: number, epoch = this.pump.stream.epoch): void {
    this.pump.receipt({ stream: 'ingest-0', epoch, through });
  }

  get ranges(): [number, number][] {
    return this.sent.map(({ first, last }) => [first, last]);
  }
}

let bench: Bench;
beforeEach(() => {
  bench = new Bench({ credit: 4, lingerMs: 20 });
});
afterEach(() => {
  bench.pump.stop();
  bench.journal.close();
});

describe('StreamPump', () => {
  it('sends at once when nothing is under way, and joins rows while something is', async () => {
    bench.append(1);
    await until(() => bench.sent.length === 1);
    for (let row = 0; row < 5; row += 1) {
      bench.append(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => bench.sent.length === 2);
    expect(bench.ranges).toEqual([
      [1, 1],
      [2, 6],
    ]);
  });

  it('sends what waits at once when the receipt for all before has come', async () => {
    bench.append(1);
    await until(() => bench.sent.length === 1);
    bench.append(1);
    bench.receipt(1);
    await until(() => bench.sent.length === 2, { timeoutMs: 1_000 });
    bench.receipt(2);
    expect(bench.journal.backlog().readings).toBe(0);
  });

  it('stops at its credit and goes on with a receipt', async () => {
    bench.append(20_000);
    await until(() => bench.sent.length === 4);
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.sent).toHaveLength(4);
    bench.receipt(bench.sent[0]?.last ?? 0);
    await until(() => bench.sent.length === 5);
  });

  it('sends again what could not be sent', async () => {
    bench.failures = ['TRANSPORT_TIMEOUT', 'TRANSPORT_NOT_CONNECTED'];
    bench.append(3);
    await until(() => bench.sent.length === 1);
    expect(bench.ranges).toEqual([[1, 3]]);
    // By the failure, not by waiting for the receipt in vain.
    expect(bench.pump.status.timeouts).toBe(0);
  });

  it('sends nothing without a hub and everything when there is one', async () => {
    bench.connected = false;
    bench.append(3);
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.sent).toEqual([]);
    bench.connected = true;
    bench.pump.connected();
    await until(() => bench.sent.length === 1);
  });

  it('ends the process when a message is too large for the hub', async () => {
    bench.failures = ['TRANSPORT_TOO_LARGE'];
    bench.append(1);
    await until(() => bench.fatal.length === 1);
    expect(bench.fatal[0]).toMatchObject({ code: 'INGEST_BROKEN' });
  });

  it('puts rows that somebody waits for into the message and tells them the outcome', async () => {
    const seen: unknown[] = [];
    bench.pump.waiters.wait(2, (outcome) => seen.push(outcome));
    bench.append(3);
    await until(() => bench.sent.length === 1);
    expect(bench.sent[0]?.want).toEqual([2]);
    const result = { seq: 2, outcome: 'unscored' as const, code: 'no-model' };
    bench.pump.receipt({ stream: 'ingest-0', epoch: 'epoch-1', through: 3, results: [result] });
    expect(seen).toEqual([result]);
  });

  it('ignores a receipt of another epoch', async () => {
    bench.append(3);
    await until(() => bench.sent.length === 1);
    bench.receipt(3, 'epoch-0');
    expect(bench.journal.backlog().readings).toBe(3);
  });

  it('begins a new epoch when a receipt is for more than there is, and sends all again', async () => {
    bench.append(3);
    await until(() => bench.sent.length === 1);
    bench.receipt(7);
    await until(() => bench.sent.length === 2);
    expect(bench.sent.map(({ epoch }) => epoch)).toEqual(['epoch-1', 'epoch-2']);
    expect(bench.ranges[1]).toEqual([1, 3]);
    expect(bench.pump.status.epochs).toBe(1);
    bench.receipt(3);
    expect(bench.journal.backlog().readings).toBe(0);
  });

  it('sends again with more earlier rows when a model wants them', async () => {
    bench.append(2);
    await until(() => bench.sent.length === 1);
    bench.receipt(2);
    bench.append(2);
    await until(() => bench.sent.length === 2);
    bench.journal.setLookback(1);
    bench.pump.rewind();
    await until(() => bench.sent.length === 3);
    expect(bench.sent[2]).toMatchObject({ first: 3, last: 4, lookback: 1 });
  });
});
