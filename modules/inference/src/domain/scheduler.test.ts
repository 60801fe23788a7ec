import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cpuLimit, slotsFor } from './cpu-limit.ts';
import type { WorkClass } from './model-runner.ts';
import { Scheduler, type SchedulerLimits, type Waiting } from './scheduler.ts';

const LIMITS: SchedulerLimits = {
  weights: { route: 4, http: 1 },
  requestsMax: 50,
  bytesMax: 1_000,
  joinRowsMax: 8,
};
interface Item extends Waiting {
  readonly name: string;
}
const item = (work: WorkClass, change: Partial<Item> = {}): Item => ({
  ...{ name: work, model: 1, work, priority: 0, deadlineMs: undefined },
  ...{ rows: 1, bytes: 1, joinKey: undefined },
  ...change,
});
const aScheduler = (limits: Partial<SchedulerLimits> = {}) =>
  new Scheduler<Item>({ ...LIMITS, ...limits });
const names = (turn: { items: readonly Item[] } | undefined): string[] =>
  (turn?.items ?? []).map(({ name }) => name);
const now = () => 'now' as const;

describe('route and HTTP', () => {
  it('share the time of the runs by their weights while both want it, however long their runs are', () => {
    const runs = fc.record({
      weight: fc.integer({ min: 1, max: 10 }),
      routeMs: fc.integer({ min: 1, max: 50 }),
      httpMs: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(runs, ({ weight, routeMs, httpMs }) => {
        const scheduler = aScheduler({ weights: { route: weight, http: 1 } });
        const used = { route: 0, http: 0, shadow: 0 };
        for (let turns = 0; turns < 3_000; turns += 1) {
          for (const work of ['route', 'http'] as const) {
            const model = work === 'route' ? 1 : 2;
            if (scheduler.waiting(work) === 0) scheduler.offer(item(work, { model }), 1);
          }
          scheduler.offer(item('shadow'), 1);
          const turn = scheduler.take(now)!;
          const { work } = turn.items[0]!;
          const ms = work === 'route' ? routeMs : httpMs;
          used[work] += ms;
          scheduler.settle(turn, ms);
        }
        expect(used.shadow).toBe(0);
        const share = used.http / (used.route + used.http);
        expect(share).toBeGreaterThan(0.9 / (weight + 1));
        expect(share).toBeLessThan(1.1 / (weight + 1));
      }),
      { numRuns: 50 },
    );
  });

  it('leave to shadows only what they do not want', () => {
    const scheduler = aScheduler();
    scheduler.offer(item('shadow'), 1);
    scheduler.offer(item('http'), 1);
    scheduler.offer(item('route'), 1);
    const order = [1, 2, 3].map(() => names(scheduler.take(now))[0]);
    expect(order.at(-1)).toBe('shadow');
    expect(scheduler.take(now)).toBeUndefined();
  });
});

describe('requests of one class', () => {
  it('go by priority, then by age; no priority ranks behind the most urgent', () => {
    const scheduler = aScheduler();
    for (const [name, priority] of [
      ['third', 3],
      ['first', 1],
      ['second', 0],
      ['second too', 2],
    ] as const) {
      scheduler.offer(item('http', { name, priority }), 1);
    }
    const order = [1, 2, 3, 4].map(() => names(scheduler.take(now))[0]);
    expect(order).toEqual(['first', 'second', 'second too', 'third']);
  });

  it('are joined where their keys are equal, up to the rows of one run', () => {
    const scheduler = aScheduler({ joinRowsMax: 4 });
    for (const [name, joinKey, rows] of [
      ['a', 'x', 2],
      ['b', 'y', 1],
      ['c', 'x', 2],
      ['d', 'x', 1],
    ] as const) {
      scheduler.offer(item('http', { name, joinKey, rows }), 1);
    }
    expect(names(scheduler.take(now))).toEqual(['a', 'c']);
    expect(names(scheduler.take(now))).toEqual(['b']);
    expect(names(scheduler.take(now))).toEqual(['d']);
  });

  it('that ran together and failed come back first, each alone', () => {
    const scheduler = aScheduler();
    for (const name of ['a', 'b']) scheduler.offer(item('http', { name, joinKey: 'x' }), 1);
    const { items } = scheduler.take(now)!;
    scheduler.offer(item('http', { name: 'c', joinKey: 'x' }), 1);
    scheduler.putBack(items);
    expect([1, 2, 3].map(() => names(scheduler.take(now)))).toEqual([['a'], ['b'], ['c']]);
  });

  it('are taken out when their deadline has passed', () => {
    const scheduler = aScheduler();
    scheduler.offer(item('http', { name: 'late', deadlineMs: 10 }), 1);
    scheduler.offer(item('http', { name: 'in time', deadlineMs: 20 }), 1);
    expect(scheduler.nextDeadlineMs).toBe(10);
    expect(scheduler.expire(15).map(({ name }) => name)).toEqual(['late']);
    expect(scheduler.waiting('http')).toBe(1);
  });
});

describe('a queue that is full', () => {
  it('refuses, and says when to come again by what runs took', () => {
    const scheduler = aScheduler({ requestsMax: 3 });
    scheduler.offer(item('http'), 1);
    scheduler.settle(scheduler.take(now)!, 100);
    for (let count = 0; count < 3; count += 1) scheduler.offer(item('http'), 1);
    expect(scheduler.offer(item('http'), 1)).toEqual({ refused: true, retryAfterMs: 300 });
    expect(scheduler.offer(item('http'), 3)).toEqual({ refused: true, retryAfterMs: 100 });
    expect(scheduler.offer(item('route'), 1).refused).toBe(false);
  });

  it('of bytes gives shadows up before anything else', () => {
    const scheduler = aScheduler();
    scheduler.offer(item('shadow', { bytes: 900 }), 1);
    expect(scheduler.offer(item('shadow', { bytes: 200 }), 1).refused).toBe(true);
    const offered = scheduler.offer(item('route', { bytes: 500 }), 1);
    expect(offered).toMatchObject({ refused: false, shed: [{ work: 'shadow' }] });
    expect(scheduler.offer(item('route', { bytes: 600 }), 1).refused).toBe(true);
  });
});

it('every request that was taken in comes out once: taken, shed, expired or forgotten', () => {
  const works = fc.constantFrom<WorkClass>('route', 'http', 'shadow');
  const step = fc.oneof(
    fc.record({ offer: works, model: fc.integer({ min: 1, max: 3 }), bytes: fc.nat(400) }),
    fc.record({ take: fc.constant(true) }),
    fc.record({ expire: fc.nat(100) }),
    fc.record({ forget: fc.integer({ min: 1, max: 3 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const scheduler = aScheduler();
      const accepted: string[] = [];
      const gone: string[] = [];
      const leave = (items: readonly Item[]): void => {
        gone.push(...items.map(({ name }) => name));
      };
      for (const [index, what] of steps.entries()) {
        if ('offer' in what) {
          const name = `${index}`;
          const deadlineMs = index % 3 === 0 ? index : undefined;
          const { offer: work, model, bytes } = what;
          const offered = scheduler.offer(item(work, { name, model, bytes, deadlineMs }), 1);
          if (!offered.refused) {
            accepted.push(name);
            leave(offered.shed);
          }
        } else if ('take' in what) leave(scheduler.take(now)?.items ?? []);
        else if ('expire' in what) leave(scheduler.expire(what.expire));
        else leave(scheduler.forget(what.forget));
      }
      for (let turn = scheduler.take(now); turn !== undefined; turn = scheduler.take(now)) {
        leave(turn.items);
      }
      expect([...gone].sort()).toEqual([...accepted].sort());
      for (const work of ['route', 'http', 'shadow'] as const) {
        expect(scheduler.waiting(work)).toBe(0);
      }
    }),
  );
});

describe('the CPUs of a container', () => {
  const reading = (files: Record<string, string>) => (path: string) => files[path];
  it.each([
    ['no files at all', {}, undefined],
    [
      'v2 without a limit',
      { '/proc/self/cgroup': '0::/a\n', '/sys/fs/cgroup/a/cpu.max': 'max 100000\n' },
      undefined,
    ],
    [
      'v2',
      { '/proc/self/cgroup': '0::/a/b\n', '/sys/fs/cgroup/a/cpu.max': '150000 100000\n' },
      1.5,
    ],
    [
      'v2, at the root of a container',
      { '/proc/self/cgroup': '0::/../x\n', '/sys/fs/cgroup/cpu.max': '200000 100000' },
      2,
    ],
    [
      'v1',
      {
        '/proc/self/cgroup': '4:cpu,cpuacct:/d\n',
        '/sys/fs/cgroup/cpu/d/cpu.cfs_quota_us': '50000',
        '/sys/fs/cgroup/cpu/d/cpu.cfs_period_us': '100000',
      },
      0.5,
    ],
  ])('are read from its control groups: %s', (_, files, cpus) => {
    expect(cpuLimit(reading(files as Record<string, string>))).toBe(cpus);
  });

  it('but one are for runs, at least one, and threads of a run count', () => {
    expect([0.5, 1, 2, 4, 8].map((cpus) => slotsFor(cpus, 1))).toEqual([1, 1, 1, 3, 7]);
    expect(slotsFor(8, 3)).toBe(2);
  });
});
