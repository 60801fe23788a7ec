import { statSync } from 'node:fs';
import path from 'node:path';
import type { InsightKind, InsightRecord } from '@holdfast/contracts';
import { CAP_BYTES_MIN, DiskRoom } from '@holdfast/module-host';
import { temporaryFolder } from '@holdfast/testkit';
import { beforeEach, describe, expect, it } from '@jest/globals';
import type Database from 'better-sqlite3';
import { Commits } from './commits.ts';
import { openDatabase } from './database.ts';
import { InsightStore } from './insight-store.ts';
import { Outbox } from './outbox.ts';
import { StoreRoom } from './store-room.ts';

const ALL: ReadonlySet<InsightKind> = new Set(['anomaly', 'rollup', 'scores', 'gap']);
const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
const MIB = 1024 * 1024;

describe('the room of the forwarder', () => {
  let file: string;
  let db: Database.Database;
  let outbox: Outbox;
  let store: InsightStore;
  let room: StoreRoom;
  let commits: Commits;
  let number = 0;

  beforeEach(() => {
    file = path.join(temporaryFolder('room'), 'forwarder.db');
    const settings = { capBytes: CAP_BYTES_MIN, freeBytesMin: 0 };
    const disk = new DiskRoom({ file, logBytesMax: 16 * MIB, settings, log });
    db = openDatabase(file);
    outbox = new Outbox(db);
    store = new InsightStore(db);
    room = new StoreRoom({ db, disk, outbox, store });
    const fatal = (error: Error): never => {
      throw error;
    };
    commits = new Commits({
      db,
      logBytes: () => disk.logBytes,
      giveUpReserve: () => false,
      fatal,
    });
  });

  /** Records of about 1 kB; only lane and size matter here. */
  const add = (kind: InsightKind, mib: number): void => {
    const text = 'x'.repeat(900);
    for (let written = 0; written < mib * MIB; written += 256 * 1024) {
      const records = Array.from({ length: 256 }, () => {
        const id = `${kind}-${++number}`;
        const time = { startT: 0, minuteT: 0, t: kind === 'gap' ? 0 : [0] };
        return { id, kind, text, ...time } as unknown as InsightRecord;
      });
      commits.run(() => outbox.append(records, ALL, 0));
    }
  };
  const scores = (mib: number): void => {
    const seq = Array.from({ length: 2_000 }, (_, i) => i);
    const columns = { seq, t: seq, score: seq.map(() => Math.random()), level: seq.map(() => 0) };
    commits.run(() => {
      while (store.segmentBytes < mib * MIB) store.putSegment('a', columns as never);
    });
  };
  const makeRoom = (): ReturnType<StoreRoom['make']> =>
    commits.run(() => room.make(Number.MAX_SAFE_INTEGER));
  const size = (): number => statSync(file).size + statSync(`${file}-wal`).size;

  it('is made at the cost of what is only looked at, then of bulk, then of normal', () => {
    scores(2);
    add('anomaly', 3);
    add('rollup', 4);
    add('scores', 3);
    const victims: string[] = [];
    for (let step = 0; step < 60; step++) {
      add('anomaly', 0.25);
      const before = store.segmentBytes;
      const evictions = makeRoom();
      if (store.segmentBytes < before) victims.push('looked at');
      victims.push(...evictions.map(({ lane }) => lane));
      expect(size()).toBeLessThan(CAP_BYTES_MIN * 1.05);
      if (room.short) break;
    }
    const order = victims.filter((victim, i) => victim !== victims[i - 1]);
    expect(order).toEqual(['looked at', 'bulk', 'normal']);
    const lanes = outbox.lanes();
    expect(lanes.bulk).toMatchObject({ pending: 0 });
    expect(lanes.normal).toMatchObject({ pending: 0 });
    expect(lanes.critical.evicted).toBe(0);
    // Nothing is left but what must not go.
    expect(room.short).toBe(true);
  });

  it('says what has gone, to the record', () => {
    add('scores', 14);
    const evictions = makeRoom();
    const [{ first, last, count } = { first: 0, last: 0, count: 0 }] = evictions;
    expect(evictions).toHaveLength(1);
    expect(first).toBe(1);
    expect(last - first + 1).toBe(count);
    expect(outbox.lanes().bulk.evicted).toBe(count);
    expect(room.short).toBe(false);
  });

  it('is given back to the volume when it is free', () => {
    add('rollup', 12);
    db.prepare('DELETE FROM outbox').run();
    db.pragma('wal_checkpoint(TRUNCATE)');
    const full = statSync(file).size;
    for (let step = 0; step < 20; step++) room.giveBack((work) => commits.run(work));
    db.pragma('wal_checkpoint(TRUNCATE)');
    expect(full).toBeGreaterThan(12 * MIB);
    expect(statSync(file).size).toBeLessThan(4 * MIB);
  });
});
