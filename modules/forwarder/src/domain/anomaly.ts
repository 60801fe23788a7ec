import type { AnomalyRecord, Level, ModelIdentity } from '@holdfast/contracts';
import type { Contribution, OutcomeRow, RowSource } from './outcome-rows.ts';

export interface DetectorRules {
  /** Rows at alarm level that open an event. */
  openAfterAlarms: number;
  /** Rows at warning level or above that open an event as well. */
  openAfterWarnings: number;
  /** A suspicion that has not become an event within this time of reading starts anew. */
  openWithinMs: number;
  /** Normal rows in succession that end an event or a suspicion. */
  closeAfter: number;
  /** A hole in reading time that ends them too: what happened in it is not known. */
  gapMs: number;
}

/** A stretch of abnormal rows, from the first one at warning level on. */
export interface Episode {
  stream: string;
  epoch: string;
  startSeq: number;
  startT: number;
  /** Time of the last row at warning level or above. */
  endT: number;
  rows: number;
  alarms: number;
  level: Level;
  peakT: number;
  peakScore: number;
  contributions: Contribution[];
  model: ModelIdentity;
}

/**
 * Detector of one asset. Without an episode the asset is normal. With one that is not `open` it is under
 * suspicion: abnormal rows have been seen, too few to be sure; it becomes an open event, or is forgotten without
 * a trace. An open event ends after enough normal rows in succession, or at a hole in time. Rows that have no score
 * say nothing and change nothing.
 */
export interface DetectorState {
  /** Time of the last scored row; -1 before the first. */
  lastT: number;
  /** Normal rows since the last abnormal one. */
  quiet: number;
  open: boolean;
  episode: Episode | null;
}

export interface AnomalyChange {
  phase: 'opened' | 'closed';
  episode: Episode;
}

/** A row that its model has scored. */
export type ScoredRow = OutcomeRow & { model: ModelIdentity };

export const isScored = (row: OutcomeRow): row is ScoredRow =>
  row.outcome === 'scored' && row.model !== null;

export const newDetector = (): DetectorState => ({
  lastT: -1,
  quiet: 0,
  open: false,
  episode: null,
});

/** A copy that can be changed without touching the original. */
export const copyDetector = (state: DetectorState): DetectorState => ({
  ...state,
  episode: state.episode === null ? null : { ...state.episode },
});

/**
 * Takes one scored row into the state, which it changes; appends what opened or closed to `changes`. Levels are those of
 * the row's own model, so the state goes on when an asset passes from one model to another.
 */
export function observe(
  state: DetectorState,
  row: ScoredRow,
  source: RowSource,
  rules: DetectorRules,
  changes: AnomalyChange[],
): void {
  const hole = state.lastT >= 0 && Math.abs(row.t - state.lastT) > rules.gapMs;
  state.lastT = row.t;
  if (state.episode !== null && hole) finish(state, changes);
  if (row.level === 0) {
    if (state.episode === null) return;
    state.quiet++;
    if (state.quiet >= rules.closeAfter) finish(state, changes);
    return;
  }
  state.quiet = 0;
  if (state.episode !== null && !state.open && row.t - state.episode.startT > rules.openWithinMs) {
    state.episode = null;
  }
  if (state.episode === null) state.episode = begin(row, source);
  else extend(state.episode, row);
  const { episode } = state;
  const sure = episode.alarms >= rules.openAfterAlarms || episode.rows >= rules.openAfterWarnings;
  if (state.open || !sure) return;
  state.open = true;
  changes.push({ phase: 'opened', episode: { ...episode } });
}

function finish(state: DetectorState, changes: AnomalyChange[]): void {
  if (state.open && state.episode !== null)
    changes.push({ phase: 'closed', episode: state.episode });
  state.open = false;
  state.episode = null;
  state.quiet = 0;
}

function begin(row: ScoredRow, source: RowSource): Episode {
  return {
    stream: source.stream,
    epoch: source.epoch,
    startSeq: row.seq,
    startT: row.t,
    endT: row.t,
    rows: 1,
    alarms: row.level === 2 ? 1 : 0,
    level: row.level,
    peakT: row.t,
    peakScore: row.score,
    contributions: row.explain?.() ?? [],
    model: row.model,
  };
}

function extend(episode: Episode, row: ScoredRow): void {
  episode.rows++;
  episode.endT = Math.max(episode.endT, row.t);
  if (row.level === 2) episode.alarms++;
  // Scores of two models have two scales; only their levels can be compared.
  const isPeak =
    row.model.digest === episode.model.digest
      ? row.score > episode.peakScore
      : row.level > episode.level;
  if (row.level > episode.level) episode.level = row.level;
  if (!isPeak) return;
  episode.peakScore = row.score;
  episode.peakT = row.t;
  episode.contributions = row.explain?.() ?? [];
  episode.model = row.model;
}

/** The first abnormal row belongs to one event only, so its position names the event, after any replay too. */
export const anomalyId = (episode: Episode): string =>
  `a-${episode.stream}-${episode.epoch}-${episode.startSeq}`;

export function anomalyRecord(site: string, asset: string, change: AnomalyChange): AnomalyRecord {
  const { phase, episode } = change;
  const anomaly = anomalyId(episode);
  return {
    id: `${anomaly}-${phase}`,
    site,
    kind: 'anomaly',
    anomaly,
    phase,
    asset,
    stream: episode.stream,
    epoch: episode.epoch,
    level: episode.level,
    startT: episode.startT,
    peakT: episode.peakT,
    endT: phase === 'closed' ? episode.endT : null,
    startSeq: episode.startSeq,
    peakScore: episode.peakScore,
    rows: episode.rows,
    contributions: episode.contributions,
    model: episode.model,
  };
}
