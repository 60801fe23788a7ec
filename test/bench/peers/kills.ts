import { setTimeout as sleep } from 'node:timers/promises';
import { seeded, until } from '@holdfast/testkit';
import { Ledger, type Tally } from './ledger.ts';
import { Load } from './load.ts';
import type { RunningPeer } from './peer.ts';
import { settle } from './speed.ts';

export interface Kills extends Tally {
  kills: number;
  /** Longest time from a kill to the next acknowledgement, in ms. */
  silentMsMax: number;
}

/** Readings in a message, and a second: enough that something is always under way, and a rate that all reach. */
const LOAD = { rows: 20, atOnce: 16, rate: 2_000 };

/** Kills one process after the other at seeded moments while readings come; each is started again by its supervisor. */
export async function countLossesByKills(
  peer: RunningPeer,
  options: { seed: number; kills: number; calmMs?: number | undefined },
): Promise<Kills> {
  const random = seeded(options.seed);
  const ledger = new Ledger();
  const source = peer.source();
  const load = new Load({ source, ledger, first: 0, ...LOAD });
  let silentMsMax = 0;
  for (let kill = 0; kill < options.kills; kill += 1) {
    await sleep(random.int(200, 1_200));
    peer.kill(random.pick(peer.processes()).id);
    const killedAt = performance.now();
    // What was acknowledged in the moment of the kill does not count as coming back.
    await sleep(20);
    const before = ledger.acknowledged;
    await until(() => ledger.acknowledged > before, {
      timeoutMs: 60_000,
      what: 'an acknowledgement after a kill',
    });
    silentMsMax = Math.max(silentMsMax, performance.now() - killedAt);
    await until(() => peer.processes().every(({ pid }) => pid !== undefined), {
      timeoutMs: 60_000,
      what: 'all processes to run again',
    });
  }
  await sleep(1_500);
  await load.stop();
  await settle(peer, options.calmMs);
  await source.close();
  const tally = ledger.compare(await peer.stored(load.next));
  return { ...tally, kills: options.kills, silentMsMax };
}
