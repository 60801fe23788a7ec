import { setTimeout as sleep } from 'node:timers/promises';
import type { EdgeHandle } from '@holdfast/edge';
import type { Counts, Round, Scenario } from '../scenario.ts';
import { FaultSite, PROCESSES } from '../site/fault-site.ts';
import { RANDOM_PLANTS } from './plants.ts';

/** Moments at which something is killed. */
const MOMENTS = { short: 14, long: 150 } as const;

/** A start takes about half a second, so many of these moments lie in the recovery from the kill before. */
const PAUSE_MS_MAX = 900;

export const killsAtRandom: Scenario = {
  name: 'kills-at-random',
  topic: 'kills',
  fault:
    'At random moments, also while a process recovers from the last time, one to four of ingest, inference, forwarder and hub are killed with SIGKILL at once, while readings flow.',
  holds:
    'Every acknowledged reading is in storage exactly once, and every identity holds to the unit.',
  plants: RANDOM_PLANTS,
  run,
};

async function run({ random, folder, plant, signal, size }: Round): Promise<Counts> {
  const site = await FaultSite.start({ folder, random, plant });
  try {
    let kills = 0;
    let over = false;
    const killing = async (): Promise<void> => {
      for (let moment = 0; moment < MOMENTS[size] && !signal.aborted; moment += 1) {
        await sleep(random.int(0, PAUSE_MS_MAX));
        // Mostly one; all four is a restart of the machine that leaves the disk as it is.
        const count = random.pick([1, 1, 1, 2, 3, 4]);
        for (const victim of random.shuffle(PROCESSES).slice(0, count)) {
          if (kill(site.site.edge, victim)) kills += 1;
        }
      }
    };
    const feeding = site.feeder.feed({ until: () => over, pauseMs: 20, signal });
    await Promise.all([
      feeding,
      killing().finally(() => {
        over = true;
      }),
    ]);
    await site.drain();
    await site.verify();
    return { kills, readings: site.ledger.acknowledged };
  } finally {
    await site.stop();
  }
}

/** Kills a process if it lives. */
function kill(edge: EdgeHandle, victim: string): boolean {
  if (edge.modules().find(({ id }) => id === victim)?.state !== 'running') return false;
  edge.kill(victim);
  return true;
}
