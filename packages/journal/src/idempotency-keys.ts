import type Database from 'better-sqlite3';
import { JournalError } from './errors.ts';
import { type KeyRow, keyProof } from './key-proof.ts';
import type { JournalKey, JournalPosition } from './port.ts';

/** Keys looked at in one prune transaction. */
const PRUNE_KEYS_MAX = 2_000;

/**
 * Idempotency keys, in order of arrival; bounded by age and by count. With a monotonic clock a key ages while the process
 * runs: a wall clock that is set, from 1970 to now, must not forget the keys of requests that are about to be repeated.
 */
export class IdempotencyKeys {
  readonly #monotonicMs: (() => number) | undefined;
  /** Time of the keys at monotonic time 0. */
  #originMs: number | undefined;
  readonly #ageMsMax: number;
  readonly #countMax: number;
  readonly #insert: Database.Statement;
  readonly #find: Database.Statement;
  readonly #oldest: Database.Statement;
  readonly #newest: Database.Statement;
  readonly #remove: Database.Statement;
  readonly #removeOne: Database.Statement;

  constructor(
    db: Database.Database,
    bounds: { ageMsMax: number; countMax: number; monotonicMs?: (() => number) | undefined },
  ) {
    this.#monotonicMs = bounds.monotonicMs;
    this.#ageMsMax = bounds.ageMsMax;
    this.#countMax = bounds.countMax;
    this.#insert = db.prepare(
      'INSERT INTO key (id, digest, result, at, proof) VALUES (?, ?, ?, ?, ?)',
    );
    this.#find = db.prepare('SELECT id, digest, result, at, proof FROM key WHERE id = ?');
    this.#oldest = db.prepare(`SELECT n, at FROM key ORDER BY n LIMIT ${PRUNE_KEYS_MAX}`).raw();
    this.#newest = db.prepare('SELECT max(n) FROM key').pluck();
    this.#removeOne = db.prepare('DELETE FROM key WHERE id = ?');
    this.#remove = db.prepare('DELETE FROM key WHERE n <= ?');
    const newestAt = db.prepare('SELECT at FROM key ORDER BY n DESC LIMIT 1').pluck().get() as
      | number
      | undefined;
    if (newestAt !== undefined) this.#timeMs(newestAt);
  }

  find(id: string): { digest: string; result: string } | undefined {
    const row = this.#find.get(id) as (KeyRow & { proof: string | null }) | undefined;
    if (row === undefined) return undefined;
    // Null: written by a version that knew no proof.
    if (row.proof !== null && row.proof !== keyProof(row)) return undefined;
    return { digest: row.digest, result: row.result };
  }

  /** Inside a transaction; `positions` are those of the request's readings. @throws JournalError JOURNAL_KEY_EXISTS */
  insert(key: JournalKey, positions: readonly JournalPosition[], wallMs: number): void {
    if (this.find(key.id) !== undefined) {
      throw new JournalError('JOURNAL_KEY_EXISTS', `The idempotency key ${key.id} is taken.`);
    }
    const result = typeof key.result === 'string' ? key.result : key.result(positions);
    this.put({ id: key.id, digest: key.digest, result, at: this.#timeMs(wallMs) });
  }

  /** Inside a transaction. One that is there already stays, unless it is damaged. */
  put(row: KeyRow): void {
    if (this.find(row.id) !== undefined) return;
    this.#removeOne.run(row.id);
    this.#insert.run(row.id, row.digest, row.result, row.at, keyProof(row));
  }

  /** Inside a transaction. True when there is more to do. */
  prune(wallMs: number): boolean {
    const nowMs = this.#timeMs(wallMs);
    const newest = (this.#newest.get() as number | null) ?? 0;
    const rows = this.#oldest.all() as [n: number, at: number][];
    let through = 0;
    let count = 0;
    for (const [n, at] of rows) {
      if (n > newest - this.#countMax && at > nowMs - this.#ageMsMax) break;
      through = n;
      count += 1;
    }
    if (count > 0) this.#remove.run(through);
    return count === PRUNE_KEYS_MAX;
  }

  /** Goes on from the newest key, or from the wall clock as it was at first, by the monotonic clock where there is one. */
  #timeMs(firstMs: number): number {
    if (this.#monotonicMs === undefined) return firstMs;
    const monotonicMs = this.#monotonicMs();
    this.#originMs ??= firstMs - monotonicMs;
    return Math.round(this.#originMs + monotonicMs);
  }
}
