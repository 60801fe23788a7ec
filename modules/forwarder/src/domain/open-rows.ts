import type { RollupState } from './rollup.ts';
import { openKey } from './steering.ts';

/** Adds the readings in the open rollups of an asset to the counts of their streams, or takes them off. */
export function addOpen(counts: Record<string, number>, state: RollupState, sign: 1 | -1): void {
  for (const rollup of [state.current, state.late]) {
    if (rollup === null) continue;
    const key = openKey(rollup);
    const rows = rollup.scored + rollup.rejected + rollup.unscored;
    const count = (counts[key] ?? 0) + sign * rows;
    if (count === 0) delete counts[key];
    else counts[key] = count;
  }
}
