import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Journal } from './journal.ts';
import type { JournalReading } from './port.ts';
import { JournalModel } from './testing/journal-model.ts';

/**
 * Goal: the journal on disk is never different from one that is arrays in memory, whatever is done to it in whatever
 * order, crashes included. Method: random sequences of operations on a real file; a crash copies the files as they
 * are, without closing, and goes on with the copy. fast-check prints seed and path of a failure.
 */
const SPAN = 9;
const PARTITIONS = 2;

const value = fc.option(
  fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(0.1, 2.25, -7.5),
  ),
  { freq: 6 },
);
const reading: fc.Arbitrary<JournalReading> = fc
  .record({
    asset: fc.constantFrom('a', 'a', 'a', 'b', 'b', 'c', 'Pumpe Süd (1)'),
    signals: fc.constantFrom(
      ['x'],
      ['x'],
      ['x'],
      ['x'],
      ['y', 'x'],
      ['Volume Flow RateRMS', '°C', 'z'],
    ),
    t: fc.integer({ min: 9e11, max: 4e12 }),
    values: fc.array(value, { minLength: 3, maxLength: 3 }),
  })
  .map((row) => ({ ...row, values: row.values.slice(0, row.signals.length) }));
const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }));
const partition = fc.nat({ max: PARTITIONS - 1 });

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      entries: fc.array(fc.array(reading, { maxLength: 25, size: 'max' }), {
        minLength: 1,
        maxLength: 3,
      }),
      key: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      partition,
      share,
      bytesMax: fc.oneof(fc.integer({ min: 400, max: 3_000 }), fc.constant(240_000)),
      rowsMax: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
      lookback: fc.constantFrom(true, true, true, false),
      batches: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('receipt' as const), partition, share }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('prune' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('epoch' as const), partition }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('lookback' as const), rows: fc.nat({ max: 5 }) }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

describe('Journal as a model', () => {
  let folder: string;
  let files = 0;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-model-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const openAt = (path: string): Journal =>
    Journal.open({
      path,
      partitions: PARTITIONS,
      streamPrefix: 's',
      newEpoch: () => `epoch-${files++}`,
      wallMs: () => 1_000,
      lookbackSpan: SPAN,
    });
  const newPath = (): string => join(folder, `${files++}.db`);
  const copyOf = (path: string, walBytes = Number.MAX_SAFE_INTEGER): string => {
    const copy = newPath();
    copyFileSync(path, copy);
    writeFileSync(`${copy}-wal`, readFileSync(`${path}-wal`).subarray(0, walBytes));
    return copy;
  };

  function run(lookback: number, operations: readonly Operation[]): void {
    let path = newPath();
    let journal = openAt(path);
    const model = new JournalModel(journal, SPAN);
    journal.setLookback(lookback);
    model.setLookback(lookback);
    try {
      for (const step of operations) {
        if (step.kind === 'reopen') {
          journal.close();
          for (const stream of model.streams) stream.receiptedDurably = stream.receipted;
          journal = openAt(path);
        } else if (step.kind === 'crash') {
          const copy = copyOf(path);
          journal.close();
          path = copy;
          journal = openAt(path);
          model.crashed();
        } else apply(journal, model, step);
        model.expectSame(journal);
      }
    } finally {
      journal.close();
    }
  }

  function apply(journal: Journal, model: JournalModel, step: Operation): void {
    switch (step.kind) {
      case 'append': {
        const id = `key-${model.keys.size}`;
        const entries = step.entries.map((readings, index) =>
          step.key && index === 0
            ? { readings, key: { id, digest: 'd', result: id } }
            : { readings },
        );
        const positions = journal.appendAll(entries);
        if (step.key) model.keys.set(id, id);
        step.entries.forEach((readings, index) => {
          expect(positions[index]!.map(({ seq }) => seq)).toEqual(model.append(journal, readings));
        });
        return;
      }
      case 'read': {
        const { appended, receipted } = journal.streams[step.partition]!;
        const { bytesMax, rowsMax } = step;
        const lookback = step.lookback ? model.lookback : 0;
        let after = receipted + Math.floor(step.share * (appended - receipted));
        for (let batch = 0; batch < step.batches && after <= appended; batch += 1) {
          const options = { after, bytesMax, lookback, ...(rowsMax !== undefined && { rowsMax }) };
          model.expectSameRead(journal, step.partition, options);
          after = model.expectSameRead(journal, step.partition, options);
        }
        return;
      }
      case 'receipt': {
        const stream = model.streams[step.partition]!;
        const through = Math.ceil(step.share * (stream.rows.length - stream.base));
        journal.receipt(step.partition, through);
        stream.receipted = Math.max(stream.receipted, stream.base + through);
        return;
      }
      case 'prune':
        journal.prune();
        model.pruned();
        return;
      case 'epoch':
        model.startedEpoch(step.partition, journal.startEpoch(step.partition));
        return;
      case 'lookback':
        journal.setLookback(step.rows);
        model.setLookback(step.rows);
        return;
      default:
        throw new Error(`${step.kind} is handled by the caller`);
    }
  }

  it('is equal to arrays in memory through any operations, crashes and restarts', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 4 }),
        fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }),
        run,
      ),
      { numRuns: 150, interruptAfterTimeLimit: 9_000 },
    );
  }, 60_000);

  it('has exactly the commits whose log survived whole when a power cut tears the log', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(reading, { minLength: 1, maxLength: 20 }), {
          minLength: 1,
          maxLength: 6,
        }),
        share,
        (commits, torn) => {
          const path = newPath();
          const journal = openAt(path);
          const empty = statSync(`${path}-wal`).size;
          const ends = commits.map((readings) => {
            journal.append(readings);
            return statSync(`${path}-wal`).size;
          });
          const cut = empty + Math.floor(torn * (ends.at(-1)! - empty));
          const after = openAt(copyOf(path, cut));
          journal.close();
          const whole = commits.filter((_, index) => ends[index]! <= cut);
          expect(after.accepted()).toBe(whole.flat().length);
          expect(after.append(commits[0]!).length).toBe(commits[0]!.length);
          after.close();
        },
      ),
      { numRuns: 60, interruptAfterTimeLimit: 5_000 },
    );
  }, 60_000);
});
