import type { Seeded } from '@holdfast/testkit';
import { MODULES } from '../../../scripts/steps.ts';
import { type Counts, mustHold, type Round, type Scenario } from '../scenario.ts';
import { UPGRADE_PLANTS } from './plants.ts';
import { previousReleaseMissing } from './previous-release.ts';
import { TwoReleases } from './two-releases.ts';

interface Volume {
  /** Records that wait for the link before anything is exchanged, at least. */
  waiting: number;
  /** Readings that pile up in the journal, while inference is still, before ingest is exchanged. */
  unreceipted: number;
  /** Exchanges of each module after that. */
  exchanges: number;
}

const VOLUMES: Record<Round['size'], Volume> = {
  short: { waiting: 1_500, unreceipted: 1_000, exchanges: 2 },
  long: { waiting: 100_000, unreceipted: 20_000, exchanges: 4 },
};

/** So many that nearly each reading of a batch is of another asset, and so becomes a record of its own. */
const ASSETS = 10_000;

export const upgradeAndBack: Scenario = {
  name: 'upgrade-and-back',
  topic: 'upgrade',
  fault:
    'A site of the previous release has records waiting for a link that is down, and readings without receipt. Each module is exchanged for this release and back, in random order, by SIGTERM or SIGKILL, while readings flow and uploads are cut off in the middle.',
  holds:
    'Each release opens and goes on with what the other wrote, each pair of releases understands the other’s messages, and in the end every acknowledged reading is in storage exactly once.',
  plants: UPGRADE_PLANTS,
  unavailable: () => Promise.resolve(previousReleaseMissing()),
  run,
};

async function run({ random, folder, plant, signal, size, say }: Round): Promise<Counts> {
  const volume = VOLUMES[size];
  const feeder = { assets: ASSETS, batchRows: 400 };
  const releases = await TwoReleases.start({ folder, random, plant, feeder });
  const { site } = releases;
  const feed = (readings: number): Promise<void> => {
    const goal = site.ledger.acknowledged + readings;
    return site.feeder.feed({ until: () => site.ledger.acknowledged >= goal, signal });
  };
  try {
    await site.site.setLink(false);
    let waiting = 0;
    while (waiting < volume.waiting) {
      await feed(Math.ceil((volume.waiting - waiting) * 1.2));
      await releases.crossed();
      waiting = await pending(releases);
    }
    say(`${waiting} records wait`);
    await exchangeWithBacklog(releases, () => feed(volume.unreceipted), random);
    for (const module of orderOf(volume.exchanges, random)) {
      // Some exchanges are made with uploads under way, and records sealed by the other release.
      const linked = random.chance(0.4);
      await site.site.setLink(linked);
      const flowing = feed(100);
      await releases.exchange(module, random);
      await flowing;
      await feed(100);
      await releases.crossed();
      say(`${releases.describe()}: readings cross`);
    }
    // What waits is delivered by either release of each module.
    await site.site.setLink(false);
    await feed(volume.unreceipted);
    for (const module of MODULES) if (random.chance(0.6)) await releases.exchange(module, random);
    say(`${releases.describe()} deliver`);
    await site.site.setLink(true);
    await site.drain();
    await site.verify();
    return { exchanges: releases.exchanges, records: waiting, readings: site.ledger.acknowledged };
  } finally {
    await site.stop();
  }
}

/** Exchanges ingest and back while its journal holds readings that nobody has taken yet. */
async function exchangeWithBacklog(
  releases: TwoReleases,
  feed: () => Promise<void>,
  random: Seeded,
): Promise<void> {
  const { site } = releases;
  const { edge } = site.site;
  edge.kill('inference', 'SIGSTOP');
  try {
    await feed();
    const { ingest } = await site.site.status();
    mustHold((ingest?.inFlight ?? 0) > 0, 'no readings are without receipt, though nothing scores');
    await releases.exchange('ingest', random);
    await feed();
    await releases.exchange('ingest', random);
    await feed();
  } finally {
    edge.kill('inference', 'SIGCONT');
  }
  await releases.crossed();
}

/** Each module so many times, in random order. */
const orderOf = (times: number, random: Seeded): string[] =>
  random.shuffle(MODULES.flatMap((module) => Array.from({ length: times }, () => module)));

async function pending(releases: TwoReleases): Promise<number> {
  const { forwarder } = await releases.site.site.status();
  return Object.values(forwarder?.lanes ?? {}).reduce((sum, lane) => sum + lane.pending, 0);
}
