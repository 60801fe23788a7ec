import fc from 'fast-check';
import { Violation } from './violation.ts';
import { type CrashPoint, type Ends, World } from './world.ts';

/** Steps after which a healed network must have delivered everything. */
const HEALED_STEPS_MAX = 400;

const place = fc.nat({ max: 11 });
const crash = fc.constantFrom<CrashPoint>(
  'none',
  'none',
  'none',
  'none',
  'none',
  'before apply',
  'before commit',
  'after receipts, before commit',
  'after commit',
);
const rows = fc.integer({ min: 1, max: 4 });

/** Everything that can happen; the weights make long stretches of normal work between the faults. */
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), rows }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('send' as const), rows }) },
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('deliver' as const), place, crash }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('deliver oldest' as const), crash }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('send receipts' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 100_000 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('outage' as const),
      sends: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('repeat' as const), place }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('lose' as const), place }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remember receipt' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash sender' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash receiver' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose store' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rewind' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('new epoch' as const) }) },
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

export const history = fc.array(event, { minLength: 1, maxLength: 150, size: 'max' });

/** Lets all of it happen, heals the network, and expects everything to arrive. @throws Violation */
export function happen(ends: Ends, events: readonly Event[]): void {
  const world = new World(ends);
  for (const one of events) step(world, one);
  heal(world);
}

function step(world: World, one: Event): void {
  const at = 'place' in one ? one.place % Math.max(1, world.network.length) : 0;
  if (one.kind === 'append') world.append(one.rows);
  else if (one.kind === 'send') world.send(one.rows);
  else if (one.kind === 'deliver' || one.kind === 'deliver oldest') world.deliver(at, one.crash);
  else if (one.kind === 'send receipts') world.sendReceipts();
  else if (one.kind === 'wait') world.nowMs += one.ms;
  else if (one.kind === 'outage') world.outage(one.sends);
  else if (one.kind === 'repeat') world.repeat(at);
  else if (one.kind === 'lose') world.lose(at);
  else if (one.kind === 'remember receipt') world.rememberReceipt();
  else if (one.kind === 'crash sender') world.crashSender();
  else if (one.kind === 'crash receiver') world.crashReceiver();
  else if (one.kind === 'lose store') world.loseStore();
  else if (one.kind === 'rewind') world.rewind();
  else world.newEpoch();
}

/** From here on nothing is lost, and time goes on whenever nothing else does. */
function heal(world: World): void {
  // A stream with nothing to send cannot find out that the receiver has lost its store.
  world.append(1);
  for (let steps = 0; steps < HEALED_STEPS_MAX; steps += 1) {
    if (world.drained && world.network.length === 0) return;
    if (world.send(2)) continue;
    while (world.network.length > 0) {
      world.deliver(0);
      world.sendReceipts();
    }
    if (world.drained) continue;
    const wakeMs = world.wakeMs();
    if (wakeMs === undefined) throw new Violation('the sender waits for ever');
    world.nowMs = Math.max(world.nowMs, wakeMs);
  }
  throw new Violation('what was accepted does not arrive, although the network is healed');
}
