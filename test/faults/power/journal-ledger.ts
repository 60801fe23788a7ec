import { crc32 } from 'node:zlib';
import type { Journal, JournalReading } from '@holdfast/journal';
import { mustHold } from '../scenario.ts';
import {
  type Entry,
  keyResult,
  PARTITIONS,
  readingOf,
  readingsOf,
  type Said,
} from './journal-workload.ts';

interface Partition {
  /** Numbers of all readings ever accepted, in order. */
  rows: number[];
  epoch: string;
  base: number;
  /** Receipts that are durable for sure, and those that were given; stored numbers. */
  receiptedLeast: number;
  receiptedMost: number;
}

/** What a journal has promised up to some moment, from what its process has said. */
export class JournalLedger {
  readonly #partitions: Partition[] = Array.from({ length: PARTITIONS }, (_, index) => ({
    ...{ rows: [], epoch: `epoch-${index}`, base: 0, receiptedLeast: 0, receiptedMost: 0 },
  }));
  readonly #keys = new Map<string, string>();
  #lookback = 0;
  #underWay: Extract<Said, { before: unknown }> | undefined;

  take(said: Said): void {
    if ('before' in said) {
      this.#underWay = said;
      const { before, through } = said;
      if (before.do === 'receipt') {
        const partition = this.#partitions[before.partition]!;
        partition.receiptedMost = partition.base + through!;
      }
      return;
    }
    const { before, epoch } = this.#underWay!;
    this.#underWay = undefined;
    if (before.do === 'append') {
      this.#append(before.entries);
    } else if (before.do === 'epoch') {
      const partition = this.#partitions[before.partition]!;
      partition.epoch = epoch!;
      partition.base = partition.receiptedMost;
      partition.receiptedLeast = partition.receiptedMost;
    } else if (before.do === 'lookback') {
      this.#lookback = before.rows;
    } else if (before.do === 'prune' || before.do === 'reopen') {
      for (const partition of this.#partitions) partition.receiptedLeast = partition.receiptedMost;
    }
  }

  /** Compares with a journal that was found after a power cut. @throws FaultFound */
  check(journal: Journal): void {
    const underWay = this.#underWay?.before;
    const entries = underWay?.do === 'append' ? underWay.entries : [];
    // What was under way is there as a whole, or not at all.
    const news = this.#sorted(entries);
    const stored = journal.streams.map((stream, index) => {
      return stream.appended + this.#baseOf(index, stream.epoch);
    });
    const some = stored.some((count, index) => count > this.#partitions[index]!.rows.length);
    let accepted = 0;
    this.#partitions.forEach((partition, index) => {
      const rows = some ? [...partition.rows, ...news[index]!] : partition.rows;
      this.#checkStream(journal, index, rows);
      accepted += rows.length;
    });
    mustHold(journal.accepted() === accepted, `${journal.accepted()} accepted, not ${accepted}`);
    for (const [id, result] of this.#keys) checkKey(journal, id, result);
    for (const { key, from } of entries) {
      if (key !== undefined) checkKey(journal, key, some ? keyResult(key, from) : undefined);
    }
    const lookbacks = [this.#lookback, underWay?.do === 'lookback' ? underWay.rows : undefined];
    mustHold(lookbacks.includes(journal.lookback), `lookback is ${journal.lookback}`);
  }

  #checkStream(journal: Journal, index: number, rows: readonly number[]): void {
    const { stream, epoch, appended, receipted, lost } = journal.streams[index]!;
    const { receiptedLeast, receiptedMost } = this.#partitions[index]!;
    const base = this.#baseOf(index, epoch);
    mustHold(lost === 0, `${stream} reports ${lost} lost, and nothing was damaged`);
    mustHold(
      base + appended === rows.length,
      `${stream} has ${base + appended} readings, and ${rows.length} were accepted`,
    );
    mustHold(
      base + receipted >= receiptedLeast && base + receipted <= receiptedMost,
      `${stream} is receipted up to ${base + receipted}, and receipts were ${receiptedLeast} to ${receiptedMost}`,
    );
    let expected = receipted + 1;
    for (const { seq, reading } of rowsOf(journal, index)) {
      const k = rows[base + seq - 1];
      mustHold(seq === expected && k !== undefined, `${stream} has row ${seq}, not ${expected}`);
      mustHold(same(reading, readingOf(k)), `${stream} row ${seq} is not reading ${k}`);
      expected += 1;
    }
    mustHold(expected === appended + 1, `${stream} ends at ${expected - 1}, not at ${appended}`);
  }

  #baseOf(index: number, epoch: string): number {
    const partition = this.#partitions[index]!;
    if (epoch === partition.epoch) return partition.base;
    const { before, epoch: next } = this.#underWay ?? {};
    const begun = before?.do === 'epoch' && before.partition === index && epoch === next;
    mustHold(begun, `partition ${index} has epoch ${epoch}, not ${partition.epoch}`);
    return partition.receiptedMost;
  }

  #append(entries: readonly Entry[]): void {
    this.#sorted(entries).forEach((rows, index) => {
      this.#partitions[index]!.rows.push(...rows);
    });
    for (const { key, from } of entries) {
      if (key !== undefined) this.#keys.set(key, keyResult(key, from));
    }
  }

  #sorted(entries: readonly Entry[]): number[][] {
    const sorted: number[][] = this.#partitions.map(() => []);
    for (const entry of entries) {
      readingsOf(entry).forEach(({ asset }, index) => {
        sorted[crc32(asset) % PARTITIONS]!.push(entry.from + index);
      });
    }
    return sorted;
  }
}

function checkKey(journal: Journal, id: string, result: string | undefined): void {
  const found = journal.findKey(id);
  mustHold(
    found?.result === result,
    `key ${id} has the result ${found?.result}, and ${result} was promised`,
  );
}

function* rowsOf(
  journal: Journal,
  partition: number,
): Generator<{ seq: number; reading: JournalReading }> {
  let after = journal.streams[partition]!.receipted;
  for (;;) {
    const batch = journal.readBatch(partition, { after, bytesMax: 1_000_000, lookback: 0 });
    if (batch === undefined) return;
    const rows = batch.assets.flatMap(({ asset, signals, seq, t, values }) =>
      seq.map((number, row) => ({
        seq: number,
        reading: {
          ...{ asset, signals, t: t[row]! },
          values: values.map((column) => column[row]!),
        },
      })),
    );
    yield* rows.sort((a, b) => a.seq - b.seq);
    after = batch.last;
  }
}

const same = (a: JournalReading, b: JournalReading): boolean =>
  JSON.stringify([a.asset, a.signals, a.t, a.values]) ===
  JSON.stringify([b.asset, b.signals, b.t, b.values]);
