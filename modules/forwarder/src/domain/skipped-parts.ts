import type { LostRange } from '@holdfast/contracts';

/** A part of the rows that a stream has gone past. */
export interface SkippedPart {
  first: number;
  last: number;
  /** Why ingest has lost them; undefined when it has not, and an earlier store of the forwarder had applied them. */
  lost: string | undefined;
}

/** Splits what was skipped by what the sender says it has lost. */
export function skippedParts(
  skipped: { first: number; last: number },
  lost: readonly LostRange[],
): SkippedPart[] {
  const parts: SkippedPart[] = [];
  let next = skipped.first;
  const until = (last: number): void => {
    if (last >= next) parts.push({ first: next, last, lost: undefined });
    next = Math.max(next, last + 1);
  };
  for (const [from, to, reason] of [...lost].sort(([a], [b]) => a - b)) {
    const first = Math.max(from, next);
    const last = Math.min(to, skipped.last);
    if (first > last) continue;
    until(first - 1);
    parts.push({ first, last, lost: reason });
    next = last + 1;
  }
  until(skipped.last);
  return parts;
}
