import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';
import { readChunk } from './chunk.ts';
import { APPLICATION_ID, SCHEMA } from './database.ts';
import { JournalError } from './errors.ts';
import { readGap } from './gap.ts';
import type { FoundMark } from './mark.ts';
import type { StreamRow } from './partition.ts';
import { lineOf, proofOf } from './stream-line.ts';

/** Up to 64 MB the structure of the whole file is looked at, a tenth of a second; in a larger one damage shows later. */
const LOOKED_AT_PAGES_MAX = 16_384;

/** Of the tables that hold readings and positions; others may come and go. */
export function schemaSum(db: Database.Database): number {
  const rows = db
    .prepare(
      `SELECT name, rootpage, sql FROM sqlite_schema
        WHERE tbl_name IN ('setting', 'stream', 'key', 'streamCopy') OR tbl_name GLOB 'chunk_*'
        ORDER BY name`,
    )
    .raw()
    .all();
  return crc32(JSON.stringify(rows));
}

/**
 * Looks at a database that was opened and not yet written to. Nothing that positions depend on is believed unless a
 * second copy or a checksum says the same. A new, empty database is left to its maker.
 * @throws JournalError JOURNAL_DAMAGED with what is wrong
 */
export function verifyJournal(db: Database.Database, path: string, mark?: FoundMark): void {
  const wrong = (what: string): JournalError =>
    new JournalError('JOURNAL_DAMAGED', `${path} is damaged: ${what}.`, { reason: what });
  const names = new Set(
    db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[],
  );
  const used = mark?.streams.some(({ appended }) => appended > 0) === true;
  if (names.size === 0) {
    if (used) throw wrong('it is empty');
    return;
  }
  const ours = names.has('stream') && names.has('setting');
  if (!ours && mark === undefined && !names.has('chunk_0')) return;
  const version = db.pragma('user_version', { simple: true }) as number;
  const application = db.pragma('application_id', { simple: true }) as number;
  if (application !== APPLICATION_ID) throw wrong(`its application id is ${application}`);
  // A newer version writes its mark with its own number, or none.
  if (version !== SCHEMA && (version < SCHEMA || mark !== undefined)) {
    throw wrong(`its schema is ${version}`);
  }
  const pages = db.pragma('page_count', { simple: true }) as number;
  if (pages <= LOOKED_AT_PAGES_MAX) {
    const found = db.pragma('quick_check(1)', { simple: true }) as string;
    if (found !== 'ok') throw wrong(found.replaceAll('\n', ' '));
  }
  const rows = db.prepare('SELECT * FROM stream ORDER BY partition').all() as StreamRow[];
  if (rows.length === 0 && used) throw wrong('streams are missing');
  if (names.has('streamCopy')) verifyCopies(db, rows, wrong);
  const bound = markOf(rows, mark);
  if (bound !== undefined) {
    if (bound.streams.length !== rows.length) throw wrong('streams are missing');
    if (bound.schema !== schemaSum(db)) throw wrong('its list of tables is not what was written');
  }
  for (const row of rows) {
    if (!names.has(`chunk_${row.partition}`))
      throw wrong(`table chunk_${row.partition} is missing`);
    verifyStream(db, row, bound?.streams[row.partition]?.appended ?? 0, wrong);
  }
}

/** The mark, if it belongs to this journal. */
export const markOf = (
  rows: readonly { epoch: string }[],
  mark: FoundMark | undefined,
): FoundMark | undefined =>
  mark?.streams.some(({ epoch }, index) => rows[index]?.epoch === epoch) ? mark : undefined;

type Wrong = (what: string) => JournalError;

function verifyCopies(db: Database.Database, rows: readonly StreamRow[], wrong: Wrong): void {
  const copies = db.prepare('SELECT line, proof FROM streamCopy ORDER BY partition').all() as {
    line: string;
    proof: string;
  }[];
  if (copies.length !== rows.length) throw wrong('streams are missing');
  copies.forEach(({ line, proof }, index) => {
    if (line !== lineOf(rows[index]!) || proof !== proofOf(line)) {
      throw wrong(`the position of stream ${index} is not what was written`);
    }
  });
}

/** The end of a stream must prove itself, for the next numbers follow it; so must the place of the next row to send. */
function verifyStream(
  db: Database.Database,
  { partition, base, receipted }: StreamRow,
  marked: number,
  wrong: Wrong,
): void {
  const table = `chunk_${partition}`;
  const newest = db
    .prepare(`SELECT first, last, body FROM ${table} ORDER BY first DESC LIMIT 1`)
    .get() as { first: number; last: number; body: Buffer } | undefined;
  let appended = receipted;
  if (newest !== undefined) {
    const { first, last, body } = newest;
    const place = { partition, first, last };
    if (readChunk(body, place) === undefined && readGap(body, place) === undefined) {
      throw wrong(`the end of stream ${partition} does not prove itself`);
    }
    const max = db.prepare(`SELECT max(last) FROM ${table}`).pluck().get() as number;
    if (max > last) throw wrong(`stream ${partition} ends at ${last}, or at ${max}`);
    appended = Math.max(receipted, last);
  }
  if (base > receipted || appended < marked) {
    throw wrong(`stream ${partition} ends at ${appended}, and ${marked} was written`);
  }
  if (appended === receipted) return;
  const next = db
    .prepare(`SELECT last FROM ${table} WHERE first <= ? ORDER BY first DESC LIMIT 1`)
    .pluck()
    .get(receipted + 1) as number | undefined;
  if (next === undefined || next <= receipted) {
    throw wrong(`rows of stream ${partition} behind ${receipted} are missing`);
  }
}
