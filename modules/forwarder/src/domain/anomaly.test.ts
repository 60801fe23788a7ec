import type { Level, ModelIdentity } from '@holdfast/contracts';
import { aModel } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import {
  type AnomalyChange,
  anomalyRecord,
  copyDetector,
  type DetectorRules,
  type DetectorState,
  newDetector,
  observe,
} from './anomaly.ts';

const rules: DetectorRules = {
  openAfterAlarms: 3,
  openAfterWarnings: 5,
  openWithinMs: 60_000,
  closeAfter: 4,
  gapMs: 10_000,
};
const source = { asset: 'pump-1', stream: 'ingest-0', epoch: 'e1' };
const other = { ...aModel, version: '2', digest: `sha256:${'2'.repeat(64)}` };

/** Feeds one row a second with these levels; the score of a row is its level plus a hundredth of its number. */
function feed(
  levels: readonly number[],
  given: { state?: DetectorState; t?: readonly number[]; model?: ModelIdentity } = {},
): { changes: AnomalyChange[]; state: DetectorState } {
  const state = given.state ?? newDetector();
  const changes: AnomalyChange[] = [];
  levels.forEach((level, i) => {
    const row = {
      seq: i + 1,
      t: given.t?.[i] ?? (i + 1) * 1000,
      outcome: 'scored' as const,
      score: level + (i + 1) / 100,
      level: level as Level,
      model: given.model ?? aModel,
      explain: () => [{ signal: 'pressure', share: 1, value: i + 1 }],
    };
    observe(state, row, source, rules, changes);
  });
  return { changes, state };
}

describe('anomaly detector', () => {
  it('opens after the set number of rows at alarm level, with the first abnormal row as its start', () => {
    const { changes } = feed([0, 1, 2, 2, 2]);
    expect(changes).toHaveLength(1);
    expect(changes[0]).toMatchObject({
      phase: 'opened',
      episode: { startSeq: 2, startT: 2000, rows: 4, alarms: 3, level: 2 },
    });
  });

  it('does not open one row earlier', () => {
    expect(feed([0, 1, 2, 2]).changes).toEqual([]);
  });

  it('opens after enough rows at warning level alone', () => {
    expect(feed([1, 1, 1, 1]).changes).toEqual([]);
    expect(feed([1, 1, 1, 1, 1]).changes).toMatchObject([
      { phase: 'opened', episode: { level: 1 } },
    ]);
  });

  it('forgets a suspicion after enough normal rows', () => {
    expect(feed([2, 2, 0, 0, 0, 0, 2, 2]).changes).toEqual([]);
    expect(feed([2, 2, 0, 0, 0, 2]).changes).toHaveLength(1);
  });

  it('starts a suspicion anew when its rows come too seldom', () => {
    const t = [0, 9, 18, 27, 36, 45, 54, 63, 72].map((s) => s * 1000);
    expect(feed([2, 0, 0, 0, 2, 0, 0, 2, 0], { t }).changes).toEqual([]);
  });

  it('closes only after enough normal rows in succession', () => {
    expect(feed([2, 2, 2, 0, 0, 0, 1, 0, 0, 0]).changes).toHaveLength(1);
    const { changes, state } = feed([2, 2, 2, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect(changes[1]).toMatchObject({ phase: 'closed', episode: { endT: 7000, rows: 4 } });
    expect(state).toMatchObject({ open: false, episode: null });
  });

  it('closes at a hole in time and begins anew behind it', () => {
    const { changes } = feed([2, 2, 2, 2], { t: [1000, 2000, 3000, 14_000] });
    expect(changes.map(({ phase }) => phase)).toEqual(['opened', 'closed']);
    expect(changes[1]!.episode.endT).toBe(3000);
  });

  it('keeps time and reasons of the highest score', () => {
    const { changes } = feed([1, 2, 2, 2, 1, 0, 0, 0, 0]);
    const record = anomalyRecord('plant-1', 'pump-1', changes[1]!);
    expect(record).toMatchObject({
      id: 'a-ingest-0-e1-1-closed',
      anomaly: 'a-ingest-0-e1-1',
      peakT: 4000,
      peakScore: 2.04,
      contributions: [{ signal: 'pressure', share: 1, value: 4 }],
      endT: 5000,
    });
    expect(anomalyRecord('plant-1', 'pump-1', changes[0]!).endT).toBeNull();
  });

  it('goes on when the asset passes to another model, whose levels count but whose scores are on another scale', () => {
    const { state } = feed([1, 2]);
    const { changes } = feed([2, 2], { state, model: other, t: [3_000, 4_000] });
    expect(changes).toMatchObject([
      { phase: 'opened', episode: { startSeq: 1, rows: 4, peakScore: 2.02, model: aModel } },
    ]);
    const begun = feed([1, 1]).state;
    feed([2, 1], { state: begun, model: other, t: [3_000, 4_000] });
    expect(begun.episode).toMatchObject({ peakScore: 2.01, peakT: 3_000, model: other });
  });

  it('changes a copy without touching the original', () => {
    const { state } = feed([2, 2]);
    const copy = copyDetector(state);
    feed([2], { state: copy });
    expect(copy.episode?.rows).toBe(3);
    expect(state.episode?.rows).toBe(2);
  });
});
