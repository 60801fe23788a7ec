import { insertKill } from './arm.ts';
import { KILL_POINTS, type KillPoint } from './kill-points.ts';

/** Rows of the table in docs/flow.md. */
const HOPS = 12;

/** What is wrong with the list of kill points: hops without a point on one side, names twice, anchors not found once. */
export function killPointProblems(
  readSource: (file: string) => string,
  points: readonly KillPoint[] = KILL_POINTS,
): string[] {
  const problems: string[] = [];
  for (let hop = 1; hop <= HOPS; hop += 1) {
    for (const side of ['before', 'after'] as const) {
      if (points.some((point) => point.hop === hop && point.side === side)) continue;
      problems.push(`hop ${hop} has no kill point ${side} it`);
    }
  }
  const names = new Set<string>();
  for (const point of points) {
    if (names.has(point.name)) problems.push(`two kill points are called ${point.name}`);
    names.add(point.name);
    try {
      insertKill(readSource(point.file), point);
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return problems;
}
