import type { DiskRoom, Room } from '@holdfast/module-host';
import type Database from 'better-sqlite3';
import { EVICTION_ORDER } from '../domain/lanes.ts';
import type { Commit } from './commits.ts';
import { isDiskFull } from './disk-errors.ts';
import type { InsightStore } from './insight-store.ts';
import type { Eviction, Outbox } from './outbox.ts';

/** Share of what waits that is evicted at once, so that a full store makes few gap records, not one a batch. */
const EVICTION_SHARE = 0.05;

/** Free pages that the file keeps for reuse; what an outage left beyond goes back to the volume. */
const FREE_BYTES_MAX = 64 * 1024 * 1024;
/** The same in a small store: this part of its cap. */
const FREE_SHARE_MAX = 1 / 8;
/** Pages given back in one step: about a millisecond. */
const VACUUM_PAGES = 256;

/**
 * Keeps the forwarder's database within what it may take on disk. When that is used up, room is made at the cost of,
 * in this order: what is kept at the site only to be looked at (scores, dead letters, rollups, ended anomalies; the
 * outbox has its own copy of what still has to go), then waiting records of lane `bulk`, then of `normal`. Never of
 * `audit` and `critical`: when they fill the room, it is **short**, and no more batches are applied.
 */
export class StoreRoom {
  readonly #db: Database.Database;
  readonly #disk: DiskRoom;
  readonly #outbox: Outbox;
  readonly #store: InsightStore;
  readonly #pageBytes: number;
  /** The file keeps the map that giving back needs. */
  readonly #shrinks: boolean;
  readonly #usedPages: Database.Statement;
  readonly #freePages: Database.Statement;

  constructor(parts: {
    db: Database.Database;
    disk: DiskRoom;
    outbox: Outbox;
    store: InsightStore;
  }) {
    this.#db = parts.db;
    this.#disk = parts.disk;
    this.#outbox = parts.outbox;
    this.#store = parts.store;
    this.#pageBytes = Number(this.#db.pragma('page_size', { simple: true }));
    this.#shrinks = Number(this.#db.pragma('auto_vacuum', { simple: true })) !== 0;
    this.#usedPages = this.#db
      .prepare('SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count')
      .pluck();
    this.#freePages = this.#db.prepare('SELECT freelist_count FROM pragma_freelist_count').pluck();
  }

  /** As it is now, inside of an open transaction too. */
  look(): Room {
    return this.#disk.look(Number(this.#usedPages.get()) * this.#pageBytes);
  }

  /** No batch may be applied. */
  get short(): boolean {
    const { neededBytes, allowedBytes } = this.look();
    return neededBytes > allowedBytes;
  }

  /**
   * Makes room, if there is too little; a bounded amount, so that one batch never waits long for it.
   * @param pendingBytesMax bytes that the records of the outbox may have by themselves
   * @returns records that had to go unsent, for their gap records
   */
  make(pendingBytesMax: number): Eviction[] {
    const evictions: Eviction[] = [];
    const { bytes } = this.#outbox;
    const share = bytes * EVICTION_SHARE;
    let missing = this.#missing();
    if (missing > 0) {
      this.#store.makeRoom(missing + share);
      missing = this.#missing();
    }
    missing = Math.max(missing, bytes - pendingBytesMax);
    if (missing > 0) missing += share;
    for (const lane of EVICTION_ORDER) {
      if (missing <= 0) break;
      const eviction = this.#outbox.evict(lane, missing);
      if (eviction === undefined) continue;
      evictions.push(eviction);
      missing -= eviction.bytes;
    }
    return evictions;
  }

  /** Gives free pages back to the volume, a little at a time; a file of an early version cannot. */
  giveBack(commit: Commit): void {
    const keepBytes = Math.min(FREE_BYTES_MAX, this.#disk.capBytes * FREE_SHARE_MAX);
    if (!this.#shrinks || Number(this.#freePages.get()) * this.#pageBytes <= keepBytes) return;
    try {
      commit(() => this.#db.exec(`PRAGMA incremental_vacuum(${VACUUM_PAGES})`));
    } catch (error) {
      // A full disk: the next step, or the one after, finds room to write down what it gives back.
      if (!isDiskFull(error)) throw error;
    }
  }

  #missing(): number {
    const { neededBytes, allowedBytes } = this.look();
    return neededBytes - allowedBytes;
  }
}
