import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { GapRecord } from '@holdfast/contracts';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import type Database from 'better-sqlite3';
import { Commits } from './commits.ts';
import { isMarked, markDamaged, storeDamaged } from './damage.ts';
import { openDatabase } from './database.ts';
import { damageCounts, takeLosses } from './losses.ts';
import { Outbox } from './outbox.ts';
import { provenTransaction } from './proof.ts';
import { quarantined } from './quarantine.ts';
import { Sealing } from './sealing.ts';
import { openStore } from './store.ts';

const gap = (number: number): GapRecord => ({
  ...{
    id: `gap-${number}`,
    site: 'plant-1',
    kind: 'gap',
    t: Date.UTC(2026, 10, 24),
    source: 'test',
  },
  ...{ first: number, last: number, count: 1, reason: 'made for a test' },
});

class AStore {
  readonly file = path.join(temporaryFolder('store'), 'forwarder.db');
  readonly lines: string[] = [];
  db: Database.Database;

  constructor(records: number) {
    this.db = this.open();
    this.append(1, records);
  }

  open(): Database.Database {
    const line = (event: string): void => void this.lines.push(event);
    const log = { error: line, warn: line, info: line, debug: line };
    this.db = openStore(this.file, { log, site: 'plant-1', wallMs: 1 });
    return this.db;
  }

  reopened(): this {
    this.open();
    return this;
  }

  sealing(): Sealing {
    const fatal = (error: Error): never => {
      throw error;
    };
    const room = { logBytes: () => 1_000_000, giveUpReserve: () => false };
    return new Sealing(this.db, 'plant-1', new Commits({ db: this.db, ...room, fatal }));
  }

  append(first: number, count: number): void {
    const records = Array.from({ length: count }, (_, i) => gap(first + i));
    provenTransaction(this.db, () => new Outbox(this.db).append(records, new Set(['gap']), 0));
  }

  damage(text: string, by: string): void {
    this.db.close();
    const bytes = readFileSync(this.file);
    bytes.write(by, bytes.indexOf(text));
    writeFileSync(this.file, bytes);
  }

  get audit() {
    return new Outbox(this.db).lanes().audit;
  }
}

const LIMITS = { recordsMax: 100, bytesMax: 1_000_000 };

describe('a store', () => {
  it('never seals a record that has changed on the disk; it is dead and a loss', () => {
    const store = new AStore(10);
    store.damage('gap-4', 'gap-X');
    const sealing = store.reopened().sealing();
    const blob = sealing.seal('audit', LIMITS, 100)!;
    expect(sealing.records(blob)!.map(({ id }) => id)).not.toContain('gap-X');
    expect(blob.count).toBe(9);
    expect(store.audit).toMatchObject({ produced: 10, pending: 9, dead: 1 });
    expect(takeLosses(store.db)).toMatchObject([
      { source: 'lane:audit', first: 4, last: 4, count: 1 },
    ]);
  });

  it('gives the whole records of a sealed blob another name only when the store has not got it', () => {
    for (const there of [true, false, undefined]) {
      const store = new AStore(10);
      const blob = store.sealing().seal('audit', LIMITS, 100)!;
      store.damage('gap-4', 'gap-X');
      const sealing = store.reopened().sealing();
      expect(sealing.records(blob)).toBeUndefined();
      sealing.recover(blob, there);
      const again = sealing.seal('audit', LIMITS, 100);
      expect(again?.count).toBe(there === false ? 9 : undefined);
      expect(again?.name).not.toBe(blob.name);
      const { delivered, pending, dead } = store.audit;
      const expected = there === undefined ? [0, 0, 10] : there ? [10, 0, 0] : [0, 9, 1];
      expect([delivered, pending, dead]).toEqual(expected);
    }
  });

  it('goes on from its copies when it is cut to nothing, and says what it lost', () => {
    const store = new AStore(10);
    const before = store.sealing();
    before.records(before.seal('audit', { ...LIMITS, recordsMax: 4 }, 100)!);
    store.db.close();
    truncateSync(store.file, 0);
    store.open();
    expect(store.audit).toMatchObject({ produced: 10, pending: 4, dead: 6 });
    expect(takeLosses(store.db)).toMatchObject([{ source: 'lane:audit', count: 6 }]);
    const sealing = store.sealing();
    sealing.recover(sealing.sealed('audit', 1)[0]!, true);
    expect(store.audit).toMatchObject({ produced: 10, delivered: 4, pending: 0, dead: 6 });
    expect(quarantined(store.file)).toHaveLength(1);
  });

  it('is salvaged once after damage was met in the middle of a run', () => {
    const store = new AStore(10);
    markDamaged(store.file, storeDamaged('a page'));
    store.db.close();
    store.open();
    expect(store.audit).toMatchObject({ produced: 10, pending: 10, dead: 0 });
    expect(damageCounts(store.db)).toEqual({ rebuilds: 1 });
    expect(isMarked(store.file)).toBe(false);
    store.db.close();
    const before = store.lines.length;
    store.open();
    expect(store.lines).toHaveLength(before);
  });

  it('goes on with a salvage that the power has cut', () => {
    const store = new AStore(10);
    store.db.close();
    const folder = path.join(path.dirname(store.file), 'damaged', 'x');
    writeFileSync(`${store.file}-salvage`, folder);
    store.open();
    expect(store.audit).toMatchObject({ pending: 10 });
    expect(existsSync(`${store.file}-salvage`)).toBe(false);
  });

  it('believes the books of a version without checksums that went on with them', () => {
    const store = new AStore(10);
    store.db.exec(`INSERT INTO outbox (lane, kind, date, bytes, addedMs, record)
      SELECT lane, kind, date, bytes, 0, record FROM outbox WHERE number = 1;
      UPDATE lane SET produced = 11, pending = 11 WHERE lane = 'audit';
      UPDATE totals SET gaps = gaps + 1;
      INSERT INTO asset (name, state, sum) VALUES ('a', '{}', 5);
      UPDATE asset SET state = '{"detector":{},"rollups":{}}'`);
    expect(store.db.prepare('SELECT sum FROM asset').pluck().get()).toBeNull();
    store.db.close();
    store.open();
    expect(store.lines).toEqual([]);
    expect(store.audit).toMatchObject({ produced: 11, pending: 11 });
    const blob = store.sealing().seal('audit', LIMITS, 100)!;
    expect(blob.count).toBe(11);
  });

  it('restores positions and counts that have changed on the disk', () => {
    const store = new AStore(10);
    store.db.exec("UPDATE lane SET produced = 11 WHERE lane = 'audit'; UPDATE totals SET gaps = 7");
    store.db.close();
    store.open();
    expect(store.audit).toMatchObject({ produced: 10, pending: 10 });
    expect(store.lines).toContain(
      'Positions and counts were damaged and are restored from their copy',
    );
  });

  it('does not take a flipped bit in its header for a newer version, or for a wish', () => {
    // Write version, reserved bytes, format of the catalogue, encoding, version of the tables, vacuum.
    for (const at of [18, 20, 47, 59, 63, 60, 55]) {
      const store = new AStore(10);
      store.db.close();
      const bytes = readFileSync(store.file);
      bytes[at] = bytes[at]! ^ 4;
      writeFileSync(store.file, bytes);
      store.open();
      expect(store.audit).toMatchObject({ produced: 10, pending: 10, dead: 0 });
      store.db.close();
    }
  });

  it('is new where there was none', () => {
    const store = new AStore(0);
    expect(store.lines).toEqual([]);
    store.db.close();
    rmSync(store.file);
    expect(() => openDatabase(store.file).close()).not.toThrow();
  });
});
