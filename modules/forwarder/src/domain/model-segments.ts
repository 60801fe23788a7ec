import type { ModelIdentity } from '@holdfast/contracts';
import { isScored } from './anomaly.ts';
import type { OutcomeRow } from './outcome-rows.ts';
import type { SegmentColumns } from './score-segment.ts';

/** Scored rows of one asset and one model. */
export interface ModelSegment {
  model: ModelIdentity;
  columns: SegmentColumns;
}

/** The scored rows as columns, those of each model apart: nearly always one segment, none without a score. */
export function segmentsOf(rows: readonly OutcomeRow[]): ModelSegment[] {
  const segments: ModelSegment[] = [];
  let segment: ModelSegment | undefined;
  for (const row of rows) {
    if (!isScored(row)) continue;
    const { model } = row;
    if (segment?.model !== model) segment = segments.find((one) => one.model === model);
    if (segment === undefined) {
      segment = { model, columns: { seq: [], t: [], score: [], level: [] } };
      segments.push(segment);
    }
    segment.columns.seq.push(row.seq);
    segment.columns.t.push(row.t);
    segment.columns.score.push(row.score);
    segment.columns.level.push(row.level);
  }
  return segments;
}
