import type { WindowScores } from './scorer.ts';

/** Scores of windows of which some may have made the model fail. */
export interface BisectedScores extends WindowScores {
  /** Why, by index of the window; its score is NaN. */
  failed: Map<number, string>;
}

/**
 * Runs of one call that may end the worker before the rest is given up. A worker starts in a tenth of a second, and
 * one bad row in a run of thousands costs about 26; only a model that is broken altogether comes here.
 */
export const CRASHES_MAX = 64;

export interface BisectOptions {
  count: number;
  signals: number;
  /** Runs the windows `from <= index < to`. */
  run(from: number, to: number): Promise<WindowScores>;
}

/**
 * Scores windows in one run. If the run fails, it is halved until the windows that do not work stand alone, so that
 * a bad row costs itself only. A run that ended the worker is tried once more before it is halved: what ended it may
 * have had nothing to do with the input. @throws what `run` throws with code SCORER_UNAVAILABLE
 */
export async function scoreBisecting(options: BisectOptions): Promise<BisectedScores> {
  const { count, signals, run } = options;
  const result: BisectedScores = { score: new Float32Array(count), failed: new Map() };
  let crashes = 0;

  const keep = (from: number, scores: WindowScores): void => {
    result.score.set(scores.score, from);
    if (scores.inferNs !== undefined) result.inferNs = (result.inferNs ?? 0) + scores.inferNs;
    if (scores.contributions === undefined) return;
    result.contributions ??= new Float32Array(count * signals);
    result.contributions.set(scores.contributions, from * signals);
  };
  const giveUp = (from: number, to: number, reason: string): void => {
    result.score.fill(Number.NaN, from, to);
    for (let index = from; index < to; index += 1) result.failed.set(index, reason);
  };
  const attempt = async (from: number, to: number, tried: boolean): Promise<void> => {
    if (crashes >= CRASHES_MAX) {
      giveUp(from, to, `the model ended its worker ${crashes} times in this batch`);
      return;
    }
    try {
      keep(from, await run(from, to));
      return;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === 'RUN_INTERRUPTED') return attempt(from, to, tried);
      if (code !== 'RUN_FAILED' && code !== 'RUN_CRASHED') throw error;
      if (code === 'RUN_CRASHED') crashes += 1;
      if (code === 'RUN_CRASHED' && !tried) return attempt(from, to, true);
      if (to - from === 1) {
        giveUp(from, to, message);
        return;
      }
    }
    const middle = from + Math.floor((to - from) / 2);
    await attempt(from, middle, false);
    await attempt(middle, to, false);
  };

  if (count > 0) await attempt(0, count, false);
  return result;
}
