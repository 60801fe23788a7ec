import type { AssetReadings } from '@holdfast/contracts';
import { expect } from '@jest/globals';
import type { Journal } from '../journal.ts';
import type { JournalReading, ReadOptions } from '../port.ts';

interface ModelStream {
  /** All rows ever, stored number = index + 1. */
  rows: JournalReading[];
  base: number;
  receipted: number;
  /** What a crash goes back to. */
  receiptedDurably: number;
  epoch: string;
  /** Stored number up to which rows may be gone. */
  floor: number;
}

/** A journal as arrays in memory: what the real one must be equal to. Used by the model test only. */
export class JournalModel {
  readonly streams: ModelStream[];
  readonly keys = new Map<string, string>();
  readonly #span: number;
  /** First answer to a read that has to stay the same. */
  readonly #answers = new Map<string, string>();
  lookback = 0;

  constructor(journal: Journal, span: number) {
    this.#span = span;
    this.streams = journal.streams.map(({ epoch }) => ({
      rows: [],
      base: 0,
      receipted: 0,
      receiptedDurably: 0,
      epoch,
      floor: 0,
    }));
  }

  append(journal: Journal, readings: readonly JournalReading[]): number[] {
    return readings.map((reading) => {
      const stream = this.streams[journal.partitionOf(reading.asset)]!;
      return stream.rows.push(reading) - stream.base;
    });
  }

  setLookback(rows: number): void {
    this.lookback = rows;
    this.#answers.clear();
  }

  pruned(): void {
    for (const stream of this.streams) {
      stream.receiptedDurably = stream.receipted;
      const keep = stream.receipted - (this.lookback > 0 ? this.#span : 0);
      stream.floor = Math.max(stream.floor, keep);
    }
  }

  crashed(): void {
    for (const stream of this.streams) stream.receipted = stream.receiptedDurably;
  }

  startedEpoch(partition: number, epoch: string): void {
    const stream = this.streams[partition]!;
    stream.base = stream.receipted;
    stream.receiptedDurably = stream.receipted;
    stream.epoch = epoch;
  }

  /** Everything that can be asked without reading. */
  expectSame(journal: Journal): void {
    expect(journal.accepted()).toBe(this.streams.reduce((sum, { rows }) => sum + rows.length, 0));
    expect(journal.lookback).toBe(this.lookback);
    for (const [id, result] of this.keys) expect(journal.findKey(id)?.result).toBe(result);
    let backlog = 0;
    this.streams.forEach((stream, partition) => {
      backlog += stream.rows.length - stream.receipted;
      const { epoch, appended, receipted, lost } = journal.streams[partition]!;
      expect({ epoch, appended, receipted, lost }).toEqual({
        epoch: stream.epoch,
        appended: stream.rows.length - stream.base,
        receipted: stream.receipted - stream.base,
        lost: 0,
      });
    });
    expect(journal.backlog().readings).toBe(backlog);
  }

  /** Gives the last sequence number read. */
  expectSameRead(journal: Journal, partition: number, options: ReadOptions): number {
    const stream = this.streams[partition]!;
    const batch = journal.readBatch(partition, options);
    const after = options.after + stream.base;
    if (after === stream.rows.length) {
      expect(batch).toBeUndefined();
      return options.after;
    }
    if (batch === undefined) throw new Error('The journal has no batch where the model has rows.');
    expect(batch.first).toBe(options.after + 1);
    const rows = stream.rows.slice(after, batch.last + stream.base);
    expect(rows.length).toBeLessThanOrEqual(options.rowsMax ?? rows.length);
    const message = {
      v: 1,
      kind: 'readings',
      stream: 's-0',
      epoch: stream.epoch,
      lookback: options.lookback,
      ...batch,
    };
    if (rows.length > 1) {
      expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThanOrEqual(options.bytesMax);
    }
    const found = batch.assets.map(({ lookback: _, ...group }) => group);
    expect(JSON.stringify(found)).toBe(JSON.stringify(columnsOf(rows, batch.first)));
    for (const group of batch.assets) this.#expectLookback(stream, group, after, options);
    const question = JSON.stringify([partition, stream.epoch, batch.last, options]);
    const answer = JSON.stringify(batch.assets);
    expect(answer).toBe(this.#answers.get(question) ?? answer);
    this.#answers.set(question, answer);
    return batch.last;
  }

  /** The newest of the earlier rows, without a hole; all of them that must still be there, if there is room. */
  #expectLookback(
    stream: ModelStream,
    group: AssetReadings,
    after: number,
    options: ReadOptions,
  ): void {
    const earlier: { row: JournalReading; stored: number }[] = [];
    for (let stored = Math.max(1, after - this.#span + 1); stored <= after; stored += 1) {
      const row = stream.rows[stored - 1]!;
      if (keyOf(row) === keyOf(group)) earlier.push({ row, stored });
    }
    const wanted = options.lookback === 0 ? [] : earlier.slice(-options.lookback);
    const count = group.lookback?.t.length ?? 0;
    const [expected] =
      count === 0
        ? []
        : columnsOf(
            wanted.slice(-count).map(({ row }) => row),
            1,
          );
    expect(JSON.stringify(group.lookback)).toBe(
      expected && JSON.stringify({ t: expected.t, values: expected.values }),
    );
    const kept = wanted.filter(({ stored }) => stored > stream.floor).length;
    if (options.bytesMax > 10_000) expect(count).toBeGreaterThanOrEqual(kept);
  }
}

const keyOf = ({ asset, signals }: { asset: string; signals: readonly string[] }): string =>
  JSON.stringify([asset, signals]);

function columnsOf(rows: readonly JournalReading[], first: number): AssetReadings[] {
  const groups = new Map<string, AssetReadings>();
  rows.forEach((row, index) => {
    let group = groups.get(keyOf(row));
    if (group === undefined) {
      const { asset, signals } = row;
      group = { asset, signals: [...signals], seq: [], t: [], values: signals.map(() => []) };
      groups.set(keyOf(row), group);
    }
    group.seq.push(first + index);
    group.t.push(row.t);
    row.values.forEach((value, signal) => {
      group.values[signal]!.push(value);
    });
  });
  return [...groups.values()];
}
