import type { RecordedLoss } from '@holdfast/contracts';
import type Database from 'better-sqlite3';

const PREFIX = 'lost/';
/** Ranges kept of each epoch: ingest asks about the newest only. */
const RANGES_MAX = 100;

type Range = [first: number, last: number];

/**
 * What ingest has lost and this store never had, by stream and epoch: it goes with every receipt, so that ingest's
 * books agree with these to the unit, however often receipts are lost. Kept in `meta`.
 */
export class LossLedger {
  readonly #db: Database.Database;
  readonly #ranges = new Map<string, Range[]>();

  constructor(db: Database.Database) {
    this.#db = db;
    const rows = db.prepare('SELECT key, value FROM meta WHERE key GLOB ?').all(`${PREFIX}*`) as {
      key: string;
      value: string;
    }[];
    for (const { key, value } of rows) this.#ranges.set(key, rangesIn(value));
  }

  /** Inside the transaction that skips these rows; that may be tried twice, and when it fails the process ends. */
  record(stream: string, epoch: string, range: { first: number; last: number }): void {
    const key = keyOf(stream, epoch);
    const ranges = this.#ranges.get(key) ?? [];
    if (ranges.at(-1)?.[0] !== range.first) ranges.push([range.first, range.last]);
    if (ranges.length > RANGES_MAX) ranges.shift();
    this.#ranges.set(key, ranges);
    this.#db
      .prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)')
      .run(key, JSON.stringify(ranges));
  }

  of({ stream, epoch }: { stream: string; epoch: string }): RecordedLoss[] {
    const ranges = this.#ranges.get(keyOf(stream, epoch)) ?? [];
    return ranges.map(([first, last]) => [stream, epoch, first, last]);
  }
}

const keyOf = (stream: string, epoch: string): string => `${PREFIX}${stream}/${epoch}`;

/** None when the text is damaged: then ingest hears of fewer losses, and counts the rest as applied. */
function rangesIn(text: string): Range[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? (value as Range[]) : [];
  } catch {
    return [];
  }
}
