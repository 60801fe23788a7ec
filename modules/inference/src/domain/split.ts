import type { AssetScores, ScoresMessage, Unscored } from '@holdfast/contracts';

/**
 * Cuts a scores message in two at the middle of its range, so that a message too large for the hub becomes two that
 * together say the same. Undefined when there is only one row.
 */
export function splitScores(message: ScoresMessage): [ScoresMessage, ScoresMessage] | undefined {
  const { first, last } = message;
  if (first === last) return undefined;
  const middle = first + Math.floor((last - first) / 2);
  return [part(message, first, middle), part(message, middle + 1, last)];
}

function part(message: ScoresMessage, first: number, last: number): ScoresMessage {
  const within = (seq: number): boolean => seq >= first && seq <= last;
  const { want, ...rest } = message;
  const wanted = want?.filter(within) ?? [];
  return {
    ...rest,
    first,
    last,
    assets: message.assets.map((asset) => partOfAsset(asset, within)).filter(notEmpty),
    rejected: message.rejected.filter((rejection) => within(rejection.seq)),
    unscored: message.unscored.map((unscored) => partOfUnscored(unscored, within)).filter(notEmpty),
    ...(wanted.length > 0 ? { want: wanted } : {}),
  };
}

const notEmpty = (entry: { seq: readonly number[] }): boolean => entry.seq.length > 0;

/** The rows of an asset whose sequence number `keeps`. */
export function partOfAsset(asset: AssetScores, keeps: (seq: number) => boolean): AssetScores {
  const kept = asset.seq.map(keeps);
  const pick = <T>(column: readonly T[]): T[] => column.filter((_, row) => kept[row]);
  const { above, ...columns } = asset;
  const result: AssetScores = {
    ...columns,
    seq: pick(asset.seq),
    t: pick(asset.t),
    score: pick(asset.score),
    level: pick(asset.level),
  };
  if (above === undefined) return result;
  const indexes = above.row.flatMap((row, index) => (kept[row] ? [index] : []));
  if (indexes.length === 0) return result;
  const places: number[] = [];
  let place = 0;
  for (const one of kept) places.push(one ? place++ : -1);
  result.above = {
    signals: above.signals,
    row: indexes.map((index) => places[above.row[index]!]!),
    contribution: indexes.map((index) => above.contribution[index]!),
    value: indexes.map((index) => above.value[index]!),
  };
  return result;
}

/** As partOfAsset. */
export function partOfUnscored(unscored: Unscored, within: (seq: number) => boolean): Unscored {
  const kept = unscored.seq.map(within);
  return {
    ...unscored,
    seq: unscored.seq.filter((_, row) => kept[row]),
    t: unscored.t.filter((_, row) => kept[row]),
  };
}
