import { connectionString } from '../../forwarder/azurite.ts';
import { idsOf, readBack, type StoredBlob } from '../../forwarder/read-back.ts';
import { type Counts, mustHold } from '../scenario.ts';
import type { ForwarderUnderTest } from './forwarder-under-test.ts';

const LANES = [
  ['anomaly', 'critical'],
  ['rollup', 'normal'],
  ['scores', 'bulk'],
  ['gap', 'audit'],
] as const;

/**
 * Reads back every blob: each record that was produced stands in exactly one, each row has exactly one score, the rollups
 * add up to the rows, and the books of the lanes agree with the store.
 */
export async function exactlyOnce(forwarder: ForwarderUnderTest, port: number): Promise<Counts> {
  const blobs = await readBack(connectionString(port));
  const { lanes, applied } = await forwarder.status();
  mustHold(applied === forwarder.rows, `${applied} rows are applied, not ${forwarder.rows}`);
  let records = 0;
  for (const [kind, lane] of LANES) {
    const ids = idsOf(blobs, kind);
    const twice = [...ids].find(([, times]) => times > 1);
    mustHold(twice === undefined, `record ${twice?.[0]} is in ${twice?.[1]} blobs`);
    const { produced, delivered, pending, dead, denied, evicted } = lanes[lane];
    mustHold(
      produced === delivered && pending + dead + denied + evicted === 0,
      `lane ${lane}: ${JSON.stringify(lanes[lane])}`,
    );
    mustHold(
      ids.size === produced,
      `${produced} records of kind ${kind}, ${ids.size} in the store`,
    );
    records += produced;
  }
  const scored = blobs.filter(({ kind }) => kind === 'scores').flatMap(({ rows }) => rows);
  const sequence = new Set(scored.map(({ seq }) => Number(seq)));
  mustHold(
    scored.length === applied && sequence.size === applied,
    `${scored.length} scores of ${sequence.size} rows are in the store, not ${applied}`,
  );
  const rolled = sumOf(blobs, 'rollup', 'scored');
  mustHold(rolled === applied, `the rollups in the store count ${rolled} rows, not ${applied}`);
  return { readings: applied, records, blobs: blobs.length };
}

const sumOf = (blobs: readonly StoredBlob[], wanted: string, column: string): number =>
  blobs
    .filter(({ kind }) => kind === wanted)
    .flatMap(({ rows }) => rows)
    .reduce((total, row) => total + Number(row[column]), 0);

/** How soon deliveries went on after the link was back; sums over rounds stay meaningful. */
export function returnCounts(ms: readonly number[]): Counts {
  return {
    returns: ms.length,
    'first deliveries within 2 s': ms.filter((one) => one <= 2_000).length,
    'within 5 s': ms.filter((one) => one <= 5_000).length,
    'within 10 s': ms.filter((one) => one <= 10_000).length,
  };
}
