import type { ModelIdentity, RollupRecord } from '@holdfast/contracts';
import type { OutcomeRow, RowSource } from './outcome-rows.ts';

const MINUTE_MS = 60_000;

/** One asset in one minute, still counting. */
export interface OpenRollup {
  stream: string;
  epoch: string;
  minuteT: number;
  scored: number;
  rejected: number;
  unscored: number;
  warnings: number;
  alarms: number;
  scoreMin: number;
  scoreSum: number;
  scoreMax: number;
  firstSeq: number;
  lastSeq: number;
  model: ModelIdentity | null;
}

/**
 * Open rollups of one asset: `current` is the latest minute seen, `late` at most one earlier minute for rows that
 * came after their time. Both end when a later minute begins, when another journal or epoch takes over, or when the
 * asset has been idle; `late` also when rows of yet another earlier minute come. Every row is in exactly one.
 */
export interface RollupState {
  current: OpenRollup | null;
  late: OpenRollup | null;
}

export const newRollups = (): RollupState => ({ current: null, late: null });

export const copyRollups = (state: RollupState): RollupState => ({
  current: state.current === null ? null : { ...state.current },
  late: state.late === null ? null : { ...state.late },
});

/** Takes one row into the state, which it changes; appends the rollups that are complete to `closed`. */
export function rollUp(
  state: RollupState,
  row: OutcomeRow,
  source: RowSource,
  closed: OpenRollup[],
): void {
  const minuteT = Math.floor(row.t / MINUTE_MS) * MINUTE_MS;
  if (
    state.current !== null &&
    (state.current.minuteT < minuteT ||
      state.current.epoch !== source.epoch ||
      state.current.stream !== source.stream)
  ) {
    closeAll(state, closed);
  }
  if (state.current === null) state.current = open(minuteT, row, source);
  if (state.current.minuteT === minuteT) {
    count(state.current, row);
    return;
  }
  if (state.late !== null && state.late.minuteT !== minuteT) {
    closed.push(state.late);
    state.late = null;
  }
  state.late ??= open(minuteT, row, source);
  count(state.late, row);
}

/** Ends whatever is open: at a flush, or when the asset has been idle. */
export function closeAll(state: RollupState, closed: OpenRollup[]): void {
  if (state.late !== null) closed.push(state.late);
  if (state.current !== null) closed.push(state.current);
  state.late = null;
  state.current = null;
}

function open(minuteT: number, row: OutcomeRow, source: RowSource): OpenRollup {
  return {
    stream: source.stream,
    epoch: source.epoch,
    minuteT,
    scored: 0,
    rejected: 0,
    unscored: 0,
    warnings: 0,
    alarms: 0,
    scoreMin: 0,
    scoreSum: 0,
    scoreMax: 0,
    firstSeq: row.seq,
    lastSeq: row.seq,
    model: null,
  };
}

function count(rollup: OpenRollup, row: OutcomeRow): void {
  rollup.lastSeq = row.seq;
  if (row.outcome !== 'scored') {
    rollup[row.outcome]++;
    return;
  }
  rollup.scoreMin = rollup.scored === 0 ? row.score : Math.min(rollup.scoreMin, row.score);
  rollup.scoreMax = rollup.scored === 0 ? row.score : Math.max(rollup.scoreMax, row.score);
  rollup.scoreSum += row.score;
  rollup.scored++;
  if (row.level >= 1) rollup.warnings++;
  if (row.level === 2) rollup.alarms++;
  rollup.model = row.model;
}

/**
 * @param part how many rollups of this asset and minute were closed before. The id does not rest on it: no two
 *   rollups begin with the same row, so the position of the first one is unique for ever.
 */
export function rollupRecord(
  site: string,
  asset: string,
  part: number,
  rollup: OpenRollup,
): RollupRecord {
  const { scored } = rollup;
  return {
    id: `r-${rollup.stream}-${rollup.epoch}-${rollup.firstSeq}`,
    site,
    kind: 'rollup',
    asset,
    stream: rollup.stream,
    epoch: rollup.epoch,
    minuteT: rollup.minuteT,
    part,
    scored,
    rejected: rollup.rejected,
    unscored: rollup.unscored,
    warnings: rollup.warnings,
    alarms: rollup.alarms,
    scoreMin: scored === 0 ? null : rollup.scoreMin,
    scoreMean: scored === 0 ? null : rollup.scoreSum / scored,
    scoreMax: scored === 0 ? null : rollup.scoreMax,
    firstSeq: rollup.firstSeq,
    lastSeq: rollup.lastSeq,
    model: rollup.model,
  };
}
