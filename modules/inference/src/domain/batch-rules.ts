import type { AssetReadings, Problem, ReadingsMessage } from '@holdfast/contracts';

/**
 * What a readings message must hold beyond its schema: columns of equal length, and every sequence number of
 * `first..last` exactly once. Gives the first problem of each asset.
 */
export function batchProblems(batch: ReadingsMessage): Problem[] {
  const problems = batch.assets.flatMap((asset, index) => assetProblem(asset, `assets[${index}]`));
  if (batch.last < batch.first) {
    const allowed = `must be at least first, ${batch.first}`;
    return [...problems, { path: 'last', value: String(batch.last), allowed }];
  }
  if (batch.base >= batch.first) {
    const allowed = `must be below first, ${batch.first}`;
    return [...problems, { path: 'base', value: String(batch.base), allowed }];
  }
  return problems.length > 0 ? problems : rangeProblem(batch);
}

function assetProblem(asset: AssetReadings, path: string): Problem[] {
  const { signals, seq, t, values, lookback } = asset;
  const rows = seq.length;
  const lengths: [string, number, number][] = [
    ['t', t.length, rows],
    ['values', values.length, signals.length],
    ...values.map((column, index): [string, number, number] => [
      `values[${index}]`,
      column.length,
      rows,
    ]),
  ];
  if (lookback !== undefined) {
    lengths.push(['lookback.values', lookback.values.length, signals.length]);
    for (const [index, column] of lookback.values.entries()) {
      lengths.push([`lookback.values[${index}]`, column.length, lookback.t.length]);
    }
  }
  for (const [name, found, wanted] of lengths) {
    if (found === wanted) continue;
    const allowed = `must have ${wanted} items, like its neighbours`;
    return [{ path: `${path}.${name}`, value: `${found} items`, allowed }];
  }
  if (new Set(signals).size !== signals.length) {
    return [{ path: `${path}.signals`, allowed: 'must name each signal once' }];
  }
  for (let row = 1; row < rows; row += 1) {
    if (seq[row]! > seq[row - 1]!) continue;
    const allowed = `must be above ${seq[row - 1]}`;
    return [{ path: `${path}.seq[${row}]`, value: String(seq[row]), allowed }];
  }
  return [];
}

function rangeProblem({ first, last, assets }: ReadingsMessage): Problem[] {
  const count = last - first + 1;
  const found = assets.reduce((sum, asset) => sum + asset.seq.length, 0);
  if (found !== count) {
    const allowed = `must be ${count}, one for each of ${first} to ${last}`;
    return [{ path: 'assets', value: `${found} rows`, allowed }];
  }
  const seen = new Uint8Array(count);
  for (const [index, asset] of assets.entries()) {
    for (let row = 0; row < asset.seq.length; row += 1) {
      const seq = asset.seq[row]!;
      if (seq >= first && seq <= last && seen[seq - first] === 0) {
        seen[seq - first] = 1;
        continue;
      }
      const allowed = `must be within ${first} to ${last} and stand once`;
      return [{ path: `assets[${index}].seq[${row}]`, value: String(seq), allowed }];
    }
  }
  return [];
}
