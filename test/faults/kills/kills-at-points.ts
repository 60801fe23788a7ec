import type { Seeded } from '@holdfast/testkit';
import type { Counts, Round, Scenario } from '../scenario.ts';
import { type Environment, FaultSite } from '../site/fault-site.ts';
import type { ArmedKill } from './arm.ts';
import { runKills } from './kill-chains.ts';
import { KILL_POINTS, type KillPoint } from './kill-points.ts';
import { POINT_PLANTS } from './plants.ts';

/** Points of one hop that the short form takes. */
const SHORT_POINTS_A_HOP = 2;
/** How often the long form goes through all points on one site. */
const LONG_LAPS = 4;

export const killsAtPoints: Scenario = {
  name: 'kills-at-points',
  topic: 'kills',
  fault:
    'Each process kills itself with SIGKILL at named places on both sides of every hop of docs/flow.md, up to four processes at the same time, while readings flow.',
  holds:
    'Every acknowledged reading is in storage exactly once, every identity holds to the unit, and no process ends by itself.',
  plants: POINT_PLANTS,
  run,
};

async function run(round: Round): Promise<Counts> {
  const { random, folder, plant, signal } = round;
  const environment: Record<string, Environment> = {};
  const site = await FaultSite.start({ folder, random, plant, environment });
  try {
    let over = false;
    const feeding = site.feeder.feed({ until: () => over, pauseMs: 60, signal });
    const kills = runKills(planOf(round), { site, environment }).finally(() => {
      over = true;
    });
    const [{ atPoints, atRandom }] = await Promise.all([kills, feeding]);
    await site.drain();
    await site.verify();
    return { kills: atPoints + atRandom, points: atPoints, readings: site.ledger.acknowledged };
  } finally {
    await site.stop();
  }
}

function planOf({ random, size }: Round): ArmedKill[] {
  const laps = size === 'long' ? LONG_LAPS : 1;
  const plan: ArmedKill[] = [];
  for (let lap = 0; lap < laps; lap += 1) {
    const points = size === 'long' ? KILL_POINTS : someOf(random);
    for (const point of random.shuffle(points)) plan.push({ point, pass: passOf(point, random) });
  }
  return plan;
}

/** A few points of each hop, so that each seed visits all hops. */
function someOf(random: Seeded): KillPoint[] {
  const hops = [...new Set(KILL_POINTS.map(({ hop }) => hop))];
  return hops.flatMap((hop) =>
    random.shuffle(KILL_POINTS.filter((point) => point.hop === hop)).slice(0, SHORT_POINTS_A_HOP),
  );
}

/** Messages are large, receipts are joined and uploads are few, so most points are passed a few times a second. */
const passOf = ({ hop }: KillPoint, random: Seeded): number => random.int(1, hop < 9 ? 6 : 2);
