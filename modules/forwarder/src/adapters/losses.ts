import type Database from 'better-sqlite3';

/** Something that is gone, until a gap record names it. */
export interface Loss {
  /** `lane:<lane>` with numbers of the outbox, or a stream with sequence numbers. */
  source: string;
  first: number;
  last: number;
  count: number;
  reason: string;
}

/** What damage has cost, by what: `records` of the outbox, kept `insights`, `assets`, `rebuilds`, `logs`. */
export type DamageKind = 'records' | 'insights' | 'assets' | 'rebuilds' | 'logs';

/** Remembers a loss in the transaction that causes it. Its gap record is made by the next commit of the application. */
export function recordLoss(db: Database.Database, loss: Loss): void {
  db.prepare(
    `INSERT INTO loss (source, first, last, count, reason)
      VALUES (@source, @first, @last, @count, @reason)`,
  ).run(loss);
}

/** Losses that have no gap record yet; they are taken out, so the caller makes the records in the same transaction. */
export function takeLosses(db: Database.Database): Loss[] {
  const losses = db
    .prepare('SELECT source, first, last, count, reason FROM loss ORDER BY number')
    .all() as Loss[];
  if (losses.length > 0) db.prepare('DELETE FROM loss').run();
  return losses;
}

export function countDamage(db: Database.Database, what: DamageKind, count: number): void {
  if (count === 0) return;
  db.prepare(
    `INSERT INTO damage (what, count) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET count = count + excluded.count`,
  ).run(what, count);
}

/** Counts since the database was made; a salvaged one goes on with those of the old. */
export function damageCounts(db: Database.Database): Partial<Record<DamageKind, number>> {
  const rows = db.prepare('SELECT what, count FROM damage').all() as {
    what: DamageKind;
    count: number;
  }[];
  return Object.fromEntries(rows.map(({ what, count }) => [what, count]));
}
