import type { Level, ScoresMessage } from '@holdfast/contracts';

const MODEL = { name: 'pump-loop', version: '1', digest: `sha256:${'0'.repeat(64)}` };
const START_MS = Date.UTC(2026, 10, 23, 12);

/** A scores message with `rows` rows spread over `assets`, at 1 Hz an asset, all normal but for one in 200. */
export function scoresMessage(given: {
  first: number;
  rows: number;
  assets: number;
  stream?: string;
}): ScoresMessage {
  const lists = new Map<string, ScoresMessage['assets'][number]>();
  for (let i = 0; i < given.rows; i++) {
    const seq = given.first + i;
    const asset = `asset-${seq % given.assets}`;
    let list = lists.get(asset);
    if (list === undefined) {
      list = { asset, seq: [], t: [], score: [], level: [] };
      lists.set(asset, list);
    }
    const level: Level = seq % 200 === 0 ? 1 : 0;
    list.seq.push(seq);
    list.t.push(START_MS + Math.floor(seq / given.assets) * 1000);
    list.score.push(Math.fround(((seq * 7919) % 1000) / 1000));
    list.level.push(level);
  }
  return {
    v: 1,
    kind: 'scores',
    stream: given.stream ?? 'ingest-0',
    epoch: 'epoch-1',
    first: given.first,
    last: given.first + given.rows - 1,
    base: 0,
    model: MODEL,
    acceptedMs: START_MS,
    assets: [...lists.values()],
    rejected: [],
    unscored: [],
  };
}

/** The same as JSON text. */
export const scoresBody = (given: Parameters<typeof scoresMessage>[0]): string =>
  JSON.stringify(scoresMessage(given));
