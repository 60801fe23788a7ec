import type { Level } from '@holdfast/contracts';
import type { AssetOutcome } from '../../domain/outcome.ts';

/**
 * Rows of one asset that the active model scored, and what a candidate makes of each. All arrays have one entry a row.
 * Levels are those of each model's own scale.
 */
export interface PairedRows {
  readonly asset: string;
  readonly seq: readonly number[];
  readonly t: readonly number[];
  readonly active: { readonly score: readonly number[]; readonly level: readonly Level[] };
  readonly candidate: {
    /** Null where it gave none; then `why` has the code of the rejection, or why the row was left unscored. */
    readonly score: readonly (number | null)[];
    readonly level: readonly (Level | null)[];
    readonly why: readonly (string | null)[];
  };
}

/** Undefined when the active model scored no row of the asset: there is nothing to compare with. */
export function pairRows(active: AssetOutcome, candidate: AssetOutcome): PairedRows | undefined {
  const { scored } = active;
  if (scored === undefined) return undefined;
  const own = candidate.scored;
  const score: (number | null)[] = [];
  const level: (Level | null)[] = [];
  const why: (string | null)[] = [];
  let reasons: Map<number, string> | undefined;
  let at = 0;
  for (const seq of scored.seq) {
    // Both ascend.
    while (own !== undefined && at < own.seq.length && own.seq[at]! < seq) at += 1;
    if (own !== undefined && own.seq[at] === seq) {
      score.push(own.score[at]!);
      level.push(own.level[at]!);
      why.push(null);
      continue;
    }
    reasons ??= reasonsOf(candidate);
    score.push(null);
    level.push(null);
    why.push(reasons.get(seq) ?? 'none');
  }
  const { asset, seq, t } = scored;
  return {
    ...{ asset, seq, t, active: { score: scored.score, level: scored.level } },
    candidate: { score, level, why },
  };
}

/** All rows of an asset that the candidate could not even try. */
export function pairWithout(active: AssetOutcome, code: string): PairedRows | undefined {
  const { scored } = active;
  if (scored === undefined) return undefined;
  const rejected = scored.seq.map((seq, row) => ({
    ...{ seq, asset: scored.asset, t: scored.t[row]!, code, detail: '' },
  }));
  return pairRows(active, { scored: undefined, rejected, unscored: [] });
}

function reasonsOf({ rejected, unscored }: AssetOutcome): Map<number, string> {
  const reasons = new Map(rejected.map(({ seq, code }) => [seq, code]));
  for (const { code, seq } of unscored) for (const one of seq) reasons.set(one, code);
  return reasons;
}
