import type { Level, ModelIdentity, Outcome, ScoresMessage } from '@holdfast/contracts';
import type { NotedScores } from './noted-scores.ts';

/** Why a row scored as it did: one signal's share of the score, and the value it was read with. */
export interface Contribution {
  signal: string;
  share: number;
  value: number | null;
}

/** What became of one reading, in the order of the stream. */
export interface OutcomeRow {
  seq: number;
  t: number;
  outcome: 'scored' | 'rejected' | 'unscored';
  /** 0 and level 0 unless scored. */
  score: number;
  level: Level;
  /** That gave the score; null unless scored. */
  model: ModelIdentity | null;
  /** Only for scored rows at level 1 or above that came with reasons; largest share first. */
  explain?: () => Contribution[];
}

/** Where rows come from; the same for all rows of one message. */
export interface RowSource {
  asset: string;
  stream: string;
  epoch: string;
}

/** Signals named in an event: enough for a person to start looking, small enough for a record. */
const CONTRIBUTIONS_MAX = 8;

/** Rows of each asset from sequence number `from` on, in order, whatever list of the message they stand in. */
export function rowsByAsset(message: NotedScores, from: number): Map<string, OutcomeRow[]> {
  const rows = new Map<string, OutcomeRow[]>();
  const listOf = (asset: string): OutcomeRow[] => {
    let list = rows.get(asset);
    if (list === undefined) {
      list = [];
      rows.set(asset, list);
    }
    return list;
  };
  const models = modelsOf(message);
  for (const [index, entry] of message.assets.entries()) {
    addScored(listOf(entry.asset), entry, models.get(index) ?? message.model, from);
  }
  for (const entry of message.unscored) {
    const list = listOf(entry.asset);
    for (let i = 0; i < entry.seq.length; i++) {
      const seq = entry.seq[i]!;
      if (seq < from) continue;
      list.push({ seq, t: entry.t[i]!, outcome: 'unscored', ...UNSCORED });
    }
  }
  for (const { asset, seq, t } of message.rejected) {
    if (seq < from) continue;
    listOf(asset).push({ seq, t, outcome: 'rejected', ...UNSCORED });
  }
  for (const [asset, list] of rows) {
    if (list.length === 0) rows.delete(asset);
    else if (!inOrder(list)) list.sort((a, b) => a.seq - b.seq);
  }
  return rows;
}

const UNSCORED = { score: 0, level: 0, model: null } as const;

/** Models by index into `assets`, where it is not the message's own. */
function modelsOf({ notes }: NotedScores): Map<number, ModelIdentity> {
  const models = new Map<number, ModelIdentity>();
  for (const { model, assets } of notes?.models ?? []) {
    for (const index of assets) models.set(index, model);
  }
  return models;
}

function inOrder(rows: readonly OutcomeRow[]): boolean {
  for (let i = 1; i < rows.length; i++) if (rows[i]!.seq < rows[i - 1]!.seq) return false;
  return true;
}

function addScored(
  list: OutcomeRow[],
  entry: ScoresMessage['assets'][number],
  model: ModelIdentity | null,
  from: number,
): void {
  const { seq, t, score, level, above } = entry;
  const reasons = new Map(above?.row.map((row, k) => [row, k]));
  for (let i = 0; i < seq.length; i++) {
    if (seq[i]! < from) continue;
    const row: OutcomeRow = {
      seq: seq[i]!,
      t: t[i]!,
      outcome: 'scored',
      score: score[i]!,
      level: level[i]!,
      model,
    };
    const reason = level[i] === 0 ? undefined : reasons.get(i);
    if (above !== undefined && reason !== undefined) {
      row.explain = () =>
        topContributions(above.signals, above.contribution[reason]!, above.value[reason]!);
    }
    list.push(row);
  }
}

function topContributions(
  signals: readonly string[],
  shares: readonly number[],
  values: readonly (number | null)[],
): Contribution[] {
  return signals
    .map((signal, i) => ({ signal, share: shares[i]!, value: values[i]! }))
    .sort((a, b) => b.share - a.share)
    .slice(0, CONTRIBUTIONS_MAX);
}

/** Outcomes of the sequence numbers that somebody waits for, from the message's own content. */
export function wantedOutcomes(message: ScoresMessage): Outcome[] {
  if (message.want === undefined || message.want.length === 0) return [];
  const wanted = new Set(message.want);
  const outcomes: Outcome[] = [];
  for (const { seq, score, level } of message.assets) {
    for (let i = 0; i < seq.length; i++) {
      if (!wanted.has(seq[i]!)) continue;
      outcomes.push({ seq: seq[i]!, outcome: 'scored', score: score[i]!, level: level[i]! });
    }
  }
  for (const { seq, code } of message.unscored) {
    for (const one of seq)
      if (wanted.has(one)) outcomes.push({ seq: one, outcome: 'unscored', code });
  }
  for (const { seq, code, detail } of message.rejected) {
    if (wanted.has(seq)) outcomes.push({ seq, outcome: 'rejected', code, detail });
  }
  return outcomes;
}
