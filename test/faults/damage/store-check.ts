import { zstdDecompressSync } from 'node:zlib';
import { type GapRecord, type InsightRecord, LANES, type RollupRecord } from '@holdfast/contracts';
import { parquetReadObjects } from 'hyparquet';
import { mustHold } from '../scenario.ts';
import type { Blob } from './blob-store.ts';
import { type Produced, STREAM, type StoreForwarder } from './store-forwarder.ts';

type Row = Record<string, unknown>;

const plain = (value: unknown): unknown => {
  if (value instanceof Date) return value.getTime();
  return typeof value === 'bigint' ? Number(value) : value;
};

/** Whether a record, as it was made, is what these rows of a file say. */
function isRecord(record: InsightRecord, rows: readonly Row[]): boolean {
  const columns = ['t', 'seq', 'score', 'level'] as const;
  if (record.kind === 'scores') {
    return (
      record.seq.length === rows.length &&
      columns.every((name) => record[name].every((value, i) => plain(rows[i]![name]) === value)) &&
      record.asset === rows[0]!.asset
    );
  }
  return (
    rows.length === 1 &&
    Object.entries(rows[0]!).every(([name, value]) => {
      if (name.startsWith('model')) return true;
      const made = (record as unknown as Row)[name];
      const found = plain(value) ?? null;
      return name === 'contributions' ? found === JSON.stringify(made) : found === made;
    })
  );
}

/** Every record at the blob store, which must be one that was made, once. */
async function deliveredRecords(
  blobs: ReadonlyMap<string, Blob>,
  produced: Produced,
): Promise<Map<string, InsightRecord>> {
  const delivered = new Map<string, InsightRecord>();
  for (const [name, { body }] of blobs) {
    const rows = (await parquetReadObjects({
      file: new Uint8Array(body).buffer,
      compressors: { ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes) },
    })) as Row[];
    for (const [id, own] of Map.groupBy(rows, (row) => String(row.id))) {
      const made = [...(produced.get(id) ?? [])].map((text) => JSON.parse(text) as InsightRecord);
      const record = made.find((one) => isRecord(one, own));
      mustHold(record !== undefined, `${name} has record ${id}, which never was made so`);
      mustHold(!delivered.has(id), `record ${id} is in two blobs, one is ${name}`);
      delivered.set(id, record);
    }
  }
  return delivered;
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((total, item) => total + of(item), 0);

export interface Found {
  delivered: number;
  lostRecords: number;
  lostReadings: number;
}

/** Everything that must hold when the stream has gone on to `rows` and all records have left. */
export async function checkStore(given: {
  forwarder: StoreForwarder;
  blobs: ReadonlyMap<string, Blob>;
  produced: Produced;
  rows: number;
  /** Whether every copy of the books was damaged: what was counted before is not known then. */
  booksLost: boolean;
}): Promise<Found> {
  const { forwarder, blobs, produced, rows, booksLost } = given;
  const status = forwarder.status as unknown as {
    applied: number;
    skipped: number;
    streams: { stream: string; epoch: string; through: number }[];
    lanes: Record<string, Record<string, number>>;
  };
  const delivered = await deliveredRecords(blobs, produced);
  const at = status.streams.find((one) => one.stream === STREAM.stream)?.through;
  mustHold(at === rows, `the stream stands at ${at}, not at ${rows}`);
  mustHold(
    status.applied + status.skipped === rows,
    `applied ${status.applied} + skipped ${status.skipped} is not ${rows}`,
  );
  const answer = await forwarder.fake.get('/v1/insights?kind=gap&limit=1000');
  const gaps = new Map<string, GapRecord>();
  for (const record of [...delivered.values(), ...(answer.body.insights as InsightRecord[])]) {
    if (record.kind === 'gap') gaps.set(record.id, record);
  }
  const all = [...gaps.values()];
  const lostGaps = status.lanes.audit!.dead! > 0;
  for (const lane of LANES) checkLane(lane, status.lanes[lane]!, { all, lostGaps });
  const onStream = all.filter(({ source }) => source === STREAM.stream);
  const missing = sum(onStream, ({ count }) => count);
  const rollups = [...delivered.values()].filter(
    (one): one is RollupRecord => one.kind === 'rollup',
  );
  const counted = sum(rollups, (one) => one.scored + one.rejected + one.unscored);
  const named = onStream.map(
    ({ first, last, count, reason }) => `${first}..${last} ${count} ${reason}`,
  );
  const explained = `${named.join('; ')}: ${counted} readings in rollups, ${missing} in gaps, of ${rows}`;
  mustHold(counted + missing <= rows, `some readings are counted twice: ${explained}`);
  const exact = status.lanes.normal!.dead === 0 && !lostGaps && !booksLost;
  mustHold(
    !exact || counted + missing === rows,
    `some readings are not accounted for: ${explained}`,
  );
  return {
    delivered: delivered.size,
    lostRecords: sum(LANES, (lane) => status.lanes[lane]!.dead!),
    lostReadings: missing,
  };
}

function checkLane(
  lane: string,
  counts: Record<string, number>,
  { all, lostGaps }: { all: readonly GapRecord[]; lostGaps: boolean },
): void {
  const { produced, delivered, pending, denied, evicted, dead } = counts as Record<
    'produced' | 'delivered' | 'pending' | 'denied' | 'evicted' | 'dead',
    number
  >;
  const text = `lane ${lane}: ${JSON.stringify(counts)}`;
  mustHold(produced === delivered + pending + denied + evicted + dead, `books of ${text}`);
  mustHold(pending === 0 && denied === 0 && evicted === 0, `something stays behind: ${text}`);
  const named = sum(
    all.filter(({ source }) => source === `lane:${lane}`),
    ({ count }) => count,
  );
  mustHold(
    named === dead || (lostGaps && named < dead),
    `gap records name ${named} lost records, ${text}`,
  );
}
