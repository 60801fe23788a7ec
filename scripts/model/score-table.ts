import { type AssetReadings, lookbackOf } from '@holdfast/contracts';
import { type AssetOutcome, outcomesOf } from '../../modules/inference/src/domain/outcome.ts';
import { type Model, scoreAssets } from '../../modules/inference/src/domain/score-batch.ts';
import type { TableRow } from './table.ts';

/** Rows of one asset that are scored together: the outcome does not depend on it. */
const ROWS_AT_ONCE = 2_000;

/** What became of one row of the table. */
export interface RowOutcome {
  line: number;
  asset: string;
  t: number;
  score?: number;
  level?: number;
  /** Why there is no score. */
  code?: string;
  detail?: string;
}

/** Scores a table by the code that scores readings on the route, asset by asset in pieces, each with its lookback. */
export async function* scoreTable(
  rows: AsyncIterable<TableRow>,
  signals: readonly string[],
  model: Model,
): AsyncGenerator<RowOutcome> {
  const lookback = lookbackOf(model.manifest);
  const held = new Map<string, { before: TableRow[]; rows: TableRow[] }>();
  const score = async (asset: string): Promise<RowOutcome[]> => {
    const { before, rows: piece } = held.get(asset)!;
    const readings = readingsOf(asset, signals, before, piece);
    const turn = () => Promise.resolve();
    const part = await scoreAssets([readings], model, { windowsPerRunMax: 4_096, turn });
    const kept = lookback === 0 ? [] : [...before, ...piece].slice(-lookback);
    held.set(asset, { before: kept, rows: [] });
    return outcomesOf(part).flatMap((outcome) => rowsOf(outcome, piece));
  };
  for await (const row of rows) {
    const own = held.get(row.asset) ?? { before: [], rows: [] };
    held.set(row.asset, own);
    own.rows.push(row);
    if (own.rows.length === ROWS_AT_ONCE) yield* await score(row.asset);
  }
  for (const [asset, own] of held) if (own.rows.length > 0) yield* await score(asset);
}

function readingsOf(
  asset: string,
  signals: readonly string[],
  before: readonly TableRow[],
  rows: readonly TableRow[],
): AssetReadings {
  const columns = (table: readonly TableRow[]) => ({
    t: table.map(({ t }) => t),
    values: signals.map((_, signal) => table.map(({ values }) => values[signal]!)),
  });
  const seq = rows.map((_, index) => index + 1);
  return { asset, signals: [...signals], seq, ...columns(rows), lookback: columns(before) };
}

/** In the order of the table. `seq` is the place in the piece, from 1. */
function rowsOf(outcome: AssetOutcome, piece: readonly TableRow[]): RowOutcome[] {
  const found: RowOutcome[] = [];
  const add = (seq: number, what: Partial<RowOutcome>): void => {
    const { line, asset, t } = piece[seq - 1]!;
    found[seq - 1] = { line, asset, t, ...what };
  };
  const { scored } = outcome;
  for (const [index, seq] of (scored?.seq ?? []).entries()) {
    add(seq, { score: scored!.score[index]!, level: scored!.level[index]! });
  }
  for (const { seq, code, detail } of outcome.rejected) add(seq, { code, detail });
  for (const { seq: list, code } of outcome.unscored) for (const seq of list) add(seq, { code });
  return found;
}

/** A line of the result. */
export const lineOf = ({ line, asset, t, score, level, code, detail }: RowOutcome): string =>
  [line, asset, t, score ?? '', level ?? '', code ?? '', quoted(detail ?? '')].join(',');

export const HEADER = 'line,asset,t,score,level,code,detail';

const quoted = (text: string): string =>
  /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
