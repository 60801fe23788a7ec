import type { InsightKind, Lane } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { blobName } from '../domain/blob-name.ts';
import type { SealedName } from '../domain/steering.ts';
import type { OutboxRow } from './proven-rows.ts';
import { outboxSum, sealedSum } from './row-sum.ts';
import { blobSum, hashOf, type SealedBlob } from './sealed-blob.ts';

const INSERT = `INSERT OR IGNORE INTO blob
  (number, lane, kind, name, recordsHash, count, bytes, oldestMs, sum)
  VALUES (@number, @lane, @kind, @name, @recordsHash, @count, @bytes, @oldestMs, @sum)`;

/**
 * Brings sealed blobs and their records together again. A blob may be at the store already, so its records must never
 * leave under another name:
 * - a blob without all its records keeps a stand-in for each that is missing, so that `Sealing.recover` settles it as
 *   a whole: delivered, if the store has it;
 * - a blob that is gone comes back from the books;
 * - records whose blob even the books do not know are sealed as they were: the same records give the same name.
 */
export function settleBlobs(
  db: Database.Database,
  { site, sealed }: { site: string; sealed: readonly SealedName[] },
): void {
  const put = db.prepare(INSERT);
  for (const blob of sealed) put.run({ ...blob, oldestMs: 0, sum: blobSum(blob) });
  const blobs = db.prepare('SELECT * FROM blob').all() as SealedBlob[];
  const known = new Set(blobs.map(({ number }) => number));
  const rowsOf = db.prepare('SELECT * FROM outbox WHERE blob = ? ORDER BY number');
  for (const blob of blobs) {
    const missing = blob.count - (rowsOf.all(blob.number) as OutboxRow[]).length;
    if (missing > 0) standIn(db, blob, missing);
  }
  const pointers = db.prepare('SELECT DISTINCT blob FROM outbox WHERE blob IS NOT NULL').pluck();
  for (const number of pointers.all() as number[]) {
    if (known.has(number)) continue;
    sealAgain(db, { number, site, rows: rowsOf.all(number) as OutboxRow[] });
  }
}

/** Takes numbers between the first and the last of the blob that no row has. */
function standIn(db: Database.Database, blob: SealedBlob, missing: number): void {
  const range = /-(\d+)-(\d+)-[0-9a-f]{16}\.parquet$/.exec(blob.name);
  const [first, last] = [Number(range?.[1]), Number(range?.[2])];
  const taken = db.prepare('SELECT 1 FROM outbox WHERE number = ?');
  const insert = db.prepare(
    `INSERT INTO outbox (number, lane, kind, date, blob, bytes, addedMs, record, sum)
      VALUES (@number, @lane, @kind, '', @blob, 0, 0, '', 0)`,
  );
  let left = missing;
  for (let number = first; number <= last && left > 0; number++) {
    if (taken.get(number) !== undefined) continue;
    insert.run({ number, lane: blob.lane, kind: blob.kind, blob: blob.number });
    left--;
  }
}

function sealAgain(
  db: Database.Database,
  { number, site, rows }: { number: number; site: string; rows: OutboxRow[] },
): void {
  const [first, last] = [rows[0]!, rows[rows.length - 1]!];
  const lane = first.lane as Lane;
  const kind = first.kind as InsightKind;
  const recordsHash = hashOf(rows);
  const { date } = first;
  const numbers = { first: first.number, last: last.number };
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const name = blobName({ ...numbers, kind, lane, date, site, recordsHash });
  const blob = { number, lane, kind, name, recordsHash, count: rows.length, bytes };
  db.prepare(INSERT).run({ ...blob, oldestMs: first.addedMs, sum: blobSum(blob) });
  // A version without checksums may have sealed them.
  const assign = db.prepare('UPDATE outbox SET sum = ? WHERE number = ?');
  for (const row of rows) assign.run(sealedSum(outboxSum(row), number), row.number);
}
