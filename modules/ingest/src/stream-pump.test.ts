import { join } from 'node:path';
import { ReadingsMessage } from '@holdfast/contracts';
import { Journal } from '@holdfast/journal';
import { readings, temporaryFolder, until } from '@holdfast/testkit';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import Database from 'better-sqlite3';
import { StreamPump } from './stream-pump.ts';

const nothing = (): void => undefined;

/** A pump on a real journal with one stream, and a transport that does what the test says. */
class Bench {
  journal: Journal;
  pump: StreamPump;
  readonly sent: ReadingsMessage[] = [];
  readonly properties: (Readonly<Record<string, string>> | undefined)[] = [];
  readonly fatal: Error[] = [];
  /** Codes with which the next sends fail. */
  failures: string[] = [];
  connected = true;

  readonly path = join(temporaryFolder(), 'journal.db');
  /** Errors and warnings as text. */
  readonly lines: string[] = [];
  /** How far the clock is ahead. */
  aheadMs = 0;
  readonly #settings: { credit: number; lingerMs: number };
  #epochs = 0;

  constructor(settings: { credit: number; lingerMs: number }) {
    this.#settings = settings;
    this.journal = this.#openJournal();
    this.pump = this.#newPump();
  }

  #openJournal(): Journal {
    return Journal.open({
      path: this.path,
      partitions: 1,
      streamPrefix: 'ingest',
      newEpoch: () => {
        this.#epochs += 1;
        return `epoch-${this.#epochs}`;
      },
      wallMs: () => Date.now(),
    });
  }

  #newPump(): StreamPump {
    const write =
      (level: string) =>
      (event: string, fields?: unknown): void => {
        this.lines.push(`${level} ${event} ${JSON.stringify(fields)}`);
      };
    return new StreamPump(
      0,
      {
        journal: this.journal,
        clock: { monotonicMs: () => performance.now() + this.aheadMs, wallMs: () => Date.now() },
        log: { error: write('error'), warn: write('warn'), info: nothing, debug: nothing },
        connected: () => this.connected,
        send: async ({ body, properties }) => {
          const code = this.failures.shift();
          if (code !== undefined) throw Object.assign(new Error(code), { code });
          this.properties.push(properties);
          this.sent.push(ReadingsMessage.parse(JSON.parse(body)));
        },
        fatal: ((error: Error) => {
          this.fatal.push(error);
        }) as (error: Error) => never,
        onSent: nothing,
      },
      this.#settings,
    );
  }

  append(count: number): void {
    this.journal.append(readings(count));
    this.pump.grown();
  }

  receipt(
    through: number,
    epoch = this.pump.stream.epoch,
    recorded?: { first: number; last: number }[],
  ): void {
    this.pump.receipt({ stream: 'ingest-0', epoch, through }, recorded);
  }

  /** Starts again on a journal in which the chunk that begins with this row is overwritten, as by a failing disk. */
  restartDamaged(first: number): void {
    this.pump.stop();
    this.journal.close();
    const db = new Database(this.path);
    const sql = 'UPDATE chunk_0 SET body = zeroblob(length(body)) WHERE first = ?';
    expect(db.prepare(sql).run(first).changes).toBe(1);
    db.close();
    this.journal = this.#openJournal();
    this.pump = this.#newPump();
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
    // Longer than five commits on a disk that others use as well.
    bench.pump.apply({ credit: 4, lingerMs: 500 });
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

  it('says with each batch how far receipts have come', async () => {
    bench.append(2);
    await until(() => bench.sent.length === 1);
    bench.receipt(2);
    bench.append(2);
    await until(() => bench.sent.length === 2);
    expect(bench.sent.map(({ base }) => base)).toEqual([0, 2]);
  });

  it('sends again at once after a reconnect, however long the wait for a receipt has become', async () => {
    bench.append(1);
    await until(() => bench.sent.length === 1);
    for (const count of [2, 3, 4, 5, 6, 7]) {
      bench.aheadMs += 100_000;
      bench.pump.wake();
      await until(() => bench.sent.length === count);
    }
    const { timeouts, timeoutMs } = bench.pump.status;
    expect(timeoutMs).toBeGreaterThan(30_000);
    bench.pump.connected();
    await until(() => bench.sent.length === 8);
    expect(bench.ranges[7]).toEqual([1, 1]);
    expect(bench.pump.status.timeouts).toBe(timeouts);
  });
});

describe('StreamPump at damage in the journal', () => {
  /** Three chunks of ten rows, the second damaged, and the first under way without receipt. */
  const stopped = async (): Promise<void> => {
    for (let chunk = 0; chunk < 3; chunk += 1) bench.journal.append(readings(10));
    bench.restartDamaged(11);
    bench.pump.wake();
    await until(() => bench.pump.status.gaps !== undefined);
  };

  it('passes over it when all that stands before has its receipt, and sends that again', async () => {
    await stopped();
    expect(bench.ranges).toEqual([[1, 10]]);
    bench.receipt(4);
    bench.append(5);
    bench.aheadMs += 10_000;
    bench.pump.wake();
    await until(() => bench.sent.length === 2);
    expect(bench.ranges[1]).toEqual([5, 10]);
    expect(bench.pump.status).toMatchObject({ epoch: 'epoch-1', gaps: [{ first: 11, last: 20 }] });
    expect(bench.properties[1]).not.toHaveProperty('lost');

    bench.receipt(10);
    await until(() => bench.sent.length === 3);
    expect(bench.sent[2]).toMatchObject({ epoch: 'epoch-1', first: 21, last: 35, base: 20 });
    expect(bench.properties[2]?.lost).toBe('[[11,20,"a chunk is not what was written"]]');
    bench.receipt(35, 'epoch-1', [{ first: 11, last: 20 }]);
    expect(bench.pump.status).toMatchObject({ epochs: 0, lost: 10 });
    expect(bench.pump.status.gaps).toBeUndefined();
    expect(bench.journal.backlog().readings).toBe(0);
    expect(bench.fatal).toEqual([]);
  });

  it('counts as lost what the forwarder has recorded, and the whole gap when it does not tell', async () => {
    await stopped();
    bench.receipt(10);
    await until(() => bench.sent.length === 2);
    // Up to 15 it was applied before the damage was done.
    bench.receipt(15, 'epoch-1', []);
    expect(bench.pump.status).toMatchObject({ lost: 0, gaps: [{ first: 16, last: 20 }] });
    bench.receipt(25, 'epoch-1', [{ first: 16, last: 20 }]);
    expect(bench.pump.status).toMatchObject({ lost: 5 });
  });

  it('counts the whole gap as lost when the forwarder does not tell', async () => {
    await stopped();
    bench.receipt(10);
    await until(() => bench.sent.length === 2);
    bench.receipt(30);
    expect(bench.pump.status).toMatchObject({ lost: 10, receipted: 30 });
  });

  it('does not read the damage again and again while it waits', async () => {
    await stopped();
    const read = jest.spyOn(bench.journal, 'readBatch');
    for (let turn = 0; turn < 20; turn += 1) {
      bench.append(1);
      bench.receipt(0);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(read).not.toHaveBeenCalled();
  });

  it('names the lost rows once, as an error', async () => {
    await stopped();
    bench.receipt(10);
    await until(() => bench.sent.length === 2);
    const errors = bench.lines.filter((line) => line.startsWith('error'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('"first":11,"last":20');
  });

  it('goes on in the same epoch when a receipt covers the damage', async () => {
    for (let chunk = 0; chunk < 3; chunk += 1) bench.journal.append(readings(10));
    bench.pump.grown();
    await until(() => bench.sent.length === 1);
    expect(bench.ranges).toEqual([[1, 30]]);
    bench.append(5);
    bench.restartDamaged(11);
    bench.pump.wake();
    await until(() => bench.pump.status.gaps !== undefined);
    bench.receipt(30);
    await until(() => bench.sent.length === 3);
    expect(bench.sent[2]).toMatchObject({ epoch: 'epoch-1', first: 31, last: 35, base: 30 });
    expect(bench.pump.status).toMatchObject({ epochs: 0, lost: 0 });
  });
});
