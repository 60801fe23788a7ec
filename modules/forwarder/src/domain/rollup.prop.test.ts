import { aModel } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { OutcomeRow } from './outcome-rows.ts';
import { closeAll, newRollups, type OpenRollup, rollUp, rollupRecord } from './rollup.ts';

const source = { asset: 'pump-1', stream: 'ingest-0', epoch: 'e1' };

const rowsOf = (
  minutes: readonly number[],
  outcomes: readonly OutcomeRow['outcome'][],
): OutcomeRow[] =>
  minutes.map((minute, i) => ({
    seq: i + 1,
    t: minute * 60_000 + i,
    outcome: outcomes[i % outcomes.length]!,
    score: i,
    level: 0,
    model: aModel,
  }));

function run(
  rows: readonly OutcomeRow[],
  flushAfter: ReadonlySet<number> = new Set(),
): OpenRollup[] {
  const state = newRollups();
  const closed: OpenRollup[] = [];
  for (const row of rows) {
    rollUp(state, row, source, closed);
    if (flushAfter.has(row.seq)) closeAll(state, closed);
  }
  closeAll(state, closed);
  return closed;
}

const anyRows = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 80 }),
    fc.array(fc.constantFrom('scored', 'rejected', 'unscored'), { minLength: 1, maxLength: 5 }),
  )
  .map(([minutes, outcomes]) => rowsOf(minutes, outcomes as OutcomeRow['outcome'][]));

describe('rollups', () => {
  it('count every row exactly once, in its own minute, in any order of minutes and with any flush', () => {
    fc.assert(
      fc.property(anyRows, fc.uniqueArray(fc.integer({ min: 1, max: 80 })), (rows, flushes) => {
        const rollups = run(rows, new Set(flushes));
        const perMinute = (minuteT: number, outcome: OutcomeRow['outcome']): number =>
          rollups.filter((r) => r.minuteT === minuteT).reduce((sum, r) => sum + r[outcome], 0);
        for (const outcome of ['scored', 'rejected', 'unscored'] as const) {
          for (let minute = 0; minute <= 6; minute++) {
            const expected = rows.filter(
              (row) => row.outcome === outcome && Math.floor(row.t / 60_000) === minute,
            ).length;
            expect(perMinute(minute * 60_000, outcome)).toBe(expected);
          }
        }
      }),
    );
  });

  it('have ids that no other has', () => {
    fc.assert(
      fc.property(anyRows, fc.uniqueArray(fc.integer({ min: 1, max: 80 })), (rows, flushes) => {
        const ids = run(rows, new Set(flushes)).map((r) => rollupRecord('s', 'pump-1', 0, r).id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
    );
  });

  it('make one record a minute when readings come in order', () => {
    const rollups = run(rowsOf([0, 0, 1, 1, 2], ['scored']));
    expect(rollups.map(({ minuteT, scored }) => [minuteT / 60_000, scored])).toEqual([
      [0, 2],
      [1, 2],
      [2, 1],
    ]);
  });

  it('gather late rows of one minute beside the current one', () => {
    const rollups = run(rowsOf([5, 3, 5, 3, 5], ['scored']));
    expect(rollups.map(({ minuteT, scored }) => [minuteT / 60_000, scored])).toEqual([
      [3, 2],
      [5, 3],
    ]);
  });

  it('give least, mean and greatest score, and null where nothing was scored', () => {
    const [rollup] = run(rowsOf([0, 0, 0], ['scored']));
    expect(rollupRecord('s', 'a', 0, rollup!)).toMatchObject({
      scoreMin: 0,
      scoreMean: 1,
      scoreMax: 2,
    });
    const [empty] = run(rowsOf([0], ['unscored']));
    expect(rollupRecord('s', 'a', 0, empty!)).toMatchObject({
      scoreMin: null,
      scoreMean: null,
      model: null,
      unscored: 1,
    });
  });
});
