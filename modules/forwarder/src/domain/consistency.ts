import type { AssetScores, Problem, ScoresMessage } from '@holdfast/contracts';

/**
 * What the schema cannot say about a scores message: equal lengths of columns, a `base` before `first`, and every
 * sequence number of `first..last` exactly once. Without this a position could advance over rows that
 * nobody accounted for.
 */
export function inconsistencyOf(message: ScoresMessage): Problem | undefined {
  const { first, last, base } = message;
  if (last < first)
    return { path: 'last', value: String(last), allowed: `must be at least ${first}` };
  if (base >= first)
    return { path: 'base', value: String(base), allowed: `must be below first, ${first}` };
  if (message.model === null && message.assets.length > 0) {
    return { path: 'model', value: 'null', allowed: 'must be given when there are scores' };
  }
  for (let i = 0; i < message.assets.length; i++) {
    const problem = columnProblem(message.assets[i]!, `assets[${i}]`);
    if (problem !== undefined) return problem;
  }
  for (let i = 0; i < message.unscored.length; i++) {
    const { seq, t } = message.unscored[i]!;
    if (t.length !== seq.length) return lengthProblem(`unscored[${i}].t`, t.length, seq.length);
  }
  return coverageProblem(message);
}

function columnProblem(scores: AssetScores, path: string): Problem | undefined {
  const rows = scores.seq.length;
  for (const column of ['t', 'score', 'level'] as const) {
    const { length } = scores[column];
    if (length !== rows) return lengthProblem(`${path}.${column}`, length, rows);
  }
  const { above } = scores;
  if (above === undefined) return undefined;
  for (const column of ['contribution', 'value'] as const) {
    if (above[column].length !== above.row.length) {
      return lengthProblem(`${path}.above.${column}`, above[column].length, above.row.length);
    }
    const narrow = above[column].findIndex((row) => row.length !== above.signals.length);
    if (narrow >= 0) {
      const { length } = above[column][narrow]!;
      return lengthProblem(`${path}.above.${column}[${narrow}]`, length, above.signals.length);
    }
  }
  const outside = above.row.findIndex((row) => row >= rows);
  if (outside < 0) return undefined;
  return {
    path: `${path}.above.row[${outside}]`,
    value: String(above.row[outside]),
    allowed: `must be below ${rows}`,
  };
}

function coverageProblem(message: ScoresMessage): Problem | undefined {
  const { first, last } = message;
  const count = last - first + 1;
  let rows = message.rejected.length;
  for (const { seq } of message.assets) rows += seq.length;
  for (const { seq } of message.unscored) rows += seq.length;
  // Compared before anything is allocated: a wrong `last` must not cost memory.
  if (rows !== count) return lengthProblem(`rows of ${first}..${last}`, rows, count);
  const seen = new Uint8Array(count);
  const mark = (seq: number, path: string): Problem | undefined => {
    if (seq < first || seq > last) {
      return { path, value: String(seq), allowed: `must be within ${first}..${last}` };
    }
    if (seen[seq - first] === 1)
      return { path, value: String(seq), allowed: 'must stand only once' };
    seen[seq - first] = 1;
    return undefined;
  };
  for (const [name, lists] of [
    ['assets', message.assets],
    ['unscored', message.unscored],
  ] as const) {
    for (let i = 0; i < lists.length; i++) {
      const path = `${name}[${i}].seq`;
      for (const seq of lists[i]!.seq) {
        const problem = mark(seq, path);
        if (problem !== undefined) return problem;
      }
    }
  }
  for (let i = 0; i < message.rejected.length; i++) {
    const problem = mark(message.rejected[i]!.seq, `rejected[${i}].seq`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const lengthProblem = (path: string, found: number, wanted: number): Problem => ({
  path,
  value: `${found} entries`,
  allowed: `must have ${wanted}`,
});
