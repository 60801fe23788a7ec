/**
 * Model test of the lanes: any sequence of appending, denying, sealing, delivering, refusing, evicting and crashing
 * keeps the accounting exact, and each record ends in exactly one place.
 */
import path from 'node:path';
import { type GapRecord, type InsightKind, type InsightRecord, LANES } from '@holdfast/contracts';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { EVICTION_ORDER, LANE_OF, laneImbalance } from '../domain/lanes.ts';
import { openDatabase } from './database.ts';
import { Outbox } from './outbox.ts';
import { Sealing } from './sealing.ts';

type Step =
  | { do: 'append'; kind: InsightKind; count: number; day: number }
  | { do: 'allow'; kinds: InsightKind[] }
  | { do: 'seal' | 'deliver' | 'refuse'; lane: (typeof LANES)[number] }
  | { do: 'evict'; bytesMax: number }
  | { do: 'crash'; inTransaction: boolean };

const kind = fc.constantFrom<InsightKind>('anomaly', 'rollup', 'scores', 'gap');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('append' as const),
    kind,
    count: fc.integer({ min: 1, max: 12 }),
    day: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({ do: fc.constant('allow' as const), kinds: fc.uniqueArray(kind) }),
  fc.record({
    do: fc.constantFrom('seal' as const, 'deliver' as const, 'deliver' as const, 'refuse' as const),
    lane: fc.constantFrom(...LANES),
  }),
  fc.record({ do: fc.constant('evict' as const), bytesMax: fc.integer({ min: 0, max: 4_000 }) }),
  fc.record({ do: fc.constant('crash' as const), inTransaction: fc.boolean() }),
);

function record(kind: InsightKind, number: number, day: number): InsightRecord {
  const t = Date.UTC(2026, 10, day, 12);
  const gap: GapRecord = {
    id: `${kind}-${number}`,
    site: 'plant-1',
    kind: 'gap',
    t,
    source: 'test',
    first: number,
    last: number,
    count: 1,
    reason: 'test',
  };
  // Only kind, id and the time of the event matter to the outbox.
  const timed = { ...gap, kind, startT: t, minuteT: t } as unknown as InsightRecord;
  return kind === 'scores' ? ({ ...timed, t: [t] } as unknown as InsightRecord) : timed;
}

/** What should have become of each record. */
class Model {
  readonly produced = { audit: 0, critical: 0, normal: 0, bulk: 0 };
  readonly places = new Map<string, string>();
}

class World {
  readonly #file = path.join(temporaryFolder('outbox'), 'forwarder.db');
  db!: Database.Database;
  outbox!: Outbox;
  sealing!: Sealing;
  allowed: ReadonlySet<InsightKind> = new Set(['anomaly', 'rollup', 'scores', 'gap']);
  readonly model = new Model();
  #number = 0;
  #opened = false;

  open(): void {
    if (this.#opened) this.db.close();
    this.#opened = true;
    this.db = openDatabase(this.#file);
    this.outbox = new Outbox(this.db);
    this.sealing = new Sealing(this.db, 'plant-1', {
      run: (work) => this.db.transaction(work)(),
      settle: () => {},
    });
  }

  run(step: Step): void {
    switch (step.do) {
      case 'append': {
        const records = Array.from({ length: step.count }, () =>
          record(step.kind, ++this.#number, step.day),
        );
        this.db.transaction(() => this.outbox.append(records, this.allowed, 0))();
        this.model.produced[LANE_OF[step.kind]] += step.count;
        const place = this.allowed.has(step.kind) ? 'pending' : 'denied';
        for (const { id } of records) this.model.places.set(id, place);
        return;
      }
      case 'allow':
        this.allowed = new Set(step.kinds);
        this.sealing.denyAllBut(this.allowed);
        for (const [id, place] of this.model.places) {
          if (place === 'pending' && !this.allowed.has(id.split('-')[0] as InsightKind)) {
            this.model.places.set(id, 'denied');
          }
        }
        return;
      case 'seal':
        this.sealing.seal(step.lane, { recordsMax: 5, bytesMax: 700 }, Number.MAX_SAFE_INTEGER);
        return;
      case 'deliver':
      case 'refuse':
        this.#settle(step.do, step.lane);
        return;
      case 'evict':
        this.#evict(step.bytesMax);
        return;
      case 'crash':
        if (step.inTransaction) this.#failInTransaction();
        this.open();
        return;
    }
  }

  #settle(how: 'deliver' | 'refuse', lane: (typeof LANES)[number]): void {
    const [blob] = this.sealing.sealed(lane, 1);
    if (blob === undefined) return;
    const ids = this.sealing.records(blob)!.map(({ id }) => id);
    if (how === 'deliver') {
      this.sealing.delivered(blob);
      for (const id of ids) this.model.places.set(id, `delivered in ${blob.name}`);
    } else if (blob.count > 1) {
      this.sealing.split(blob);
    } else {
      this.sealing.bury(blob, 'refused', 0);
      for (const id of ids) this.model.places.set(id, 'dead');
    }
  }

  #evict(bytesMax: number): void {
    const waiting = this.db
      .prepare('SELECT number, lane, record FROM outbox WHERE blob IS NULL')
      .all() as { number: number; lane: string; record: string }[];
    const evictions = this.db.transaction(() =>
      EVICTION_ORDER.flatMap((lane) => {
        const excess = this.outbox.bytes - bytesMax;
        return excess > 0 ? (this.outbox.evict(lane, excess) ?? []) : [];
      }),
    )();
    for (const { lane, first, last, count } of evictions) {
      expect(EVICTION_ORDER).toContain(lane);
      const gone = waiting.filter((r) => r.lane === lane && r.number >= first && r.number <= last);
      expect(gone).toHaveLength(count);
      for (const { record: text } of gone) {
        this.model.places.set((JSON.parse(text) as InsightRecord).id, 'evicted');
      }
    }
  }

  #failInTransaction(): void {
    const failing = this.db.transaction(() => {
      this.outbox.append([record('rollup', 1_000_000, 1)], this.allowed, 0);
      for (const lane of EVICTION_ORDER) this.outbox.evict(lane, Number.MAX_SAFE_INTEGER);
      throw new Error('power cut');
    });
    expect(failing).toThrow('power cut');
  }

  check(): void {
    const lanes = this.outbox.lanes();
    const placesOf = (lane: string, place: string): number =>
      [...this.model.places].filter(
        ([id, at]) => LANE_OF[id.split('-')[0] as InsightKind] === lane && at.startsWith(place),
      ).length;
    for (const lane of LANES) {
      expect(laneImbalance(lanes[lane])).toBe(0);
      expect(lanes[lane]).toMatchObject({
        produced: this.model.produced[lane],
        delivered: placesOf(lane, 'delivered'),
        pending: placesOf(lane, 'pending'),
        denied: placesOf(lane, 'denied'),
        evicted: placesOf(lane, 'evicted'),
        dead: placesOf(lane, 'dead'),
      });
      expect(this.outbox.countPending(lane)).toBe(lanes[lane].pending);
      const bytes = this.db
        .prepare('SELECT COALESCE(SUM(bytes), 0) FROM outbox WHERE lane = ?')
        .pluck()
        .get(lane);
      expect(lanes[lane].pendingBytes).toBe(bytes);
    }
    const wrongBlobs = this.db
      .prepare(
        `SELECT blob.number, count, blob.bytes, COUNT(o.number), SUM(o.bytes) FROM blob
          LEFT JOIN (SELECT number, blob, bytes FROM outbox) AS o ON o.blob = blob.number
          GROUP BY blob.number HAVING blob.count <> COUNT(o.number) OR blob.bytes <> SUM(o.bytes)`,
      )
      .all();
    expect(wrongBlobs).toEqual([]);
    const pending = this.db.prepare('SELECT record FROM outbox').all() as { record: string }[];
    expect(
      pending.map(({ record: text }) => (JSON.parse(text) as InsightRecord).id).sort(),
    ).toEqual(
      [...this.model.places]
        .filter(([, place]) => place === 'pending')
        .map(([id]) => id)
        .sort(),
    );
  }
}

describe('lanes', () => {
  it('account for every record through any steps and crashes', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const world = new World();
        world.open();
        for (const one of steps) {
          world.run(one);
          world.check();
        }
        world.db.close();
      }),
      { numRuns: 60 },
    );
  });

  it('never take from audit and critical to make room', () => {
    const world = new World();
    world.open();
    for (const one of ['anomaly', 'gap', 'rollup', 'scores'] as const) {
      world.run({ do: 'append', kind: one, count: 3, day: 1 });
    }
    world.run({ do: 'evict', bytesMax: 0 });
    const lanes = world.outbox.lanes();
    expect([lanes.audit.pending, lanes.critical.pending]).toEqual([3, 3]);
    expect([lanes.normal.evicted, lanes.bulk.evicted]).toEqual([3, 3]);
  });

  it('take from bulk before normal, oldest first', () => {
    const world = new World();
    world.open();
    world.run({ do: 'append', kind: 'rollup', count: 4, day: 1 });
    world.run({ do: 'append', kind: 'scores', count: 4, day: 1 });
    world.run({ do: 'evict', bytesMax: world.outbox.bytes - 1 });
    expect(world.outbox.lanes()).toMatchObject({ normal: { evicted: 0 }, bulk: { pending: 3 } });
    expect(world.model.places.get('scores-5')).toBe('evicted');
  });

  it('seal the same records under the same name after a crash', () => {
    const world = new World();
    world.open();
    world.run({ do: 'append', kind: 'rollup', count: 3, day: 1 });
    world.run({ do: 'seal', lane: 'normal' });
    const before = world.sealing.sealed('normal', 4);
    world.run({ do: 'crash', inTransaction: true });
    expect(world.sealing.sealed('normal', 4)).toEqual(before);
    expect(before).toHaveLength(1);
    expect(before[0]?.count).toBe(3);
  });

  it('take back a sealed blob of a kind that may no longer leave', () => {
    const world = new World();
    world.open();
    world.run({ do: 'append', kind: 'rollup', count: 3, day: 1 });
    world.run({ do: 'append', kind: 'anomaly', count: 1, day: 1 });
    world.run({ do: 'seal', lane: 'normal' });
    world.run({ do: 'seal', lane: 'critical' });
    world.run({ do: 'allow', kinds: ['anomaly'] });
    expect(world.sealing.sealed('normal', 4)).toEqual([]);
    expect(world.sealing.sealed('critical', 4)).toHaveLength(1);
    expect(world.outbox.lanes().normal).toMatchObject({ denied: 3, pending: 0, pendingBytes: 0 });
  });

  it('seal one kind and one day at a time', () => {
    const world = new World();
    world.open();
    world.run({ do: 'append', kind: 'rollup', count: 1, day: 1 });
    world.run({ do: 'append', kind: 'rollup', count: 1, day: 2 });
    world.run({ do: 'append', kind: 'rollup', count: 1, day: 1 });
    world.run({ do: 'seal', lane: 'normal' });
    world.run({ do: 'seal', lane: 'normal' });
    const names = world.sealing.sealed('normal', 4).map(({ name, count }) => [name, count]);
    expect(names).toEqual([
      [expect.stringContaining('/date=2026-11-01/normal-all-1-3-'), 2],
      [expect.stringContaining('/date=2026-11-02/normal-all-2-2-'), 1],
    ]);
  });

  it('leave score segments of a denied kind counted and unmade', () => {
    const world = new World();
    world.open();
    world.db.transaction(() => world.outbox.deny('scores', 2))();
    expect(world.outbox.lanes().bulk).toMatchObject({ produced: 2, denied: 2, pending: 0 });
  });
});
