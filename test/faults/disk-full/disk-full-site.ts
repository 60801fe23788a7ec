import { statSync } from 'node:fs';
import { until } from '@holdfast/testkit';
import { MODULES } from '../../../scripts/steps.ts';
import type { Plant } from '../plants/plant.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { FaultSite } from '../site/fault-site.ts';
import { SmallVolume, volumeUnavailable } from './small-volume.ts';

const MIB = 1024 * 1024;
const VOLUME_BYTES = 96 * MIB;
/** Makes logs of 3 MiB, so that a round sees several of them through. */
const CAP_BYTES = 48 * MIB;
/** Of both modules: a log and 1 MiB each. */
const RESERVES_BYTES = 2 * 4 * MIB;
/** Above the reserves, so that no module grows into what the other gave up. */
const FLOOR_BYTES = RESERVES_BYTES + MIB;
/** A sender that had no receipts for a while tries again after a minute at the latest. */
const PATIENCE_MS = 70_000;

const plants: readonly Plant[] = [
  {
    name: 'no-reserve',
    file: 'packages/module-host/src/disk-room.ts',
    find: 'if (!this.#reserve.release()) return false;',
    replace: 'return false;',
  },
  {
    name: 'full-answers-500',
    file: 'modules/ingest/src/adapters/http-answer.ts',
    find: "problemBody(429, 'busy'",
    replace: "problemBody(500, 'busy'",
  },
  {
    name: 'reserve-not-taken-back',
    file: 'packages/module-host/src/disk-room.ts',
    find: 'setInterval(() => this.#keepReserve(), RESERVE_LOOK_MS)',
    replace: 'setInterval(() => {}, RESERVE_LOOK_MS)',
  },
];

export const diskFullSite: Scenario = {
  name: 'disk-full-site',
  topic: 'disk-full',
  fault:
    'The data of ingest and forwarder lies on an ext4 volume of 96 MiB (a file on a loop device) that another program fills to the last block, again and again, while readings come in and inference stands still; each time modules are started anew on the full volume, then the space is freed.',
  holds:
    'No module ends by itself, sources are answered 429 with Retry-After, receipts, pruning and deliveries go on while the volume is full, readings are taken again by themselves once there is room, the reserves are back, and every acknowledged reading is in storage exactly once.',
  plants,
  unavailable: volumeUnavailable,
  async run(round) {
    const volume = SmallVolume.mount(round.folder, VOLUME_BYTES);
    const data = (id: string) => ({ HOLDFAST_DATA_DIR: `${volume.folder}/${id}` });
    let site: FaultSite | undefined;
    try {
      site = await FaultSite.start({
        ...round,
        folder: `${round.folder}/site`,
        environment: { ingest: data('ingest'), forwarder: data('forwarder') },
        settings: {
          ingest: { capBytes: CAP_BYTES, freeBytesMin: FLOOR_BYTES },
          forwarder: { outbox: { bytesMax: CAP_BYTES, freeBytesMin: FLOOR_BYTES } },
        },
        feeder: { batchRows: 400 },
      });
      return await new Full(site, volume, round).run();
    } finally {
      await site?.stop();
      volume.unmount();
    }
  },
};

class Full {
  readonly #site: FaultSite;
  readonly #volume: SmallVolume;
  readonly #round: Round;
  #refusals = 0;

  constructor(site: FaultSite, volume: SmallVolume, round: Round) {
    this.#site = site;
    this.#volume = volume;
    this.#round = round;
  }

  async run(): Promise<Counts> {
    const cycles = this.#round.size === 'short' ? 2 : 6;
    await this.#until(() => this.#reservesHeld(), 'the reserves are taken');
    // A backlog that is delivered leaves free pages in the forwarder's file.
    await this.#site.site.setLink(false);
    await this.#feedFor(1_500);
    await this.#site.site.setLink(true);
    for (let cycle = 0; cycle < cycles; cycle++) await this.#cycle(cycle);
    await this.#drain();
    const { forwarder } = await this.#site.verify();
    const evicted = forwarder.lanes.bulk?.evicted ?? 0;
    mustHold(evicted === 0, `${evicted} records were evicted, although the link was up`);
    return {
      cycles,
      readings: this.#site.ledger.acknowledged,
      'answers 429': this.#refusals,
    };
  }

  async #cycle(cycle: number): Promise<void> {
    const { site } = this.#site;
    const { random, say } = this.#round;
    let restarts = this.#restarts();
    site.edge.kill('inference', 'SIGSTOP');
    let stop = false;
    const feeding = this.#site.feeder.feed({ until: () => stop, signal: this.#round.signal });
    // A failure of what is waited for below comes first.
    feeding.catch(() => {});
    try {
      await new Promise((resolve) => setTimeout(resolve, random.int(100, 600)));
      this.#volume.fill();
      await this.#until(() => this.#toldToWait(), 'a source is answered 429');
      if (cycle % 2 === 1) {
        mustHold(this.#restarts() === restarts, 'a module ended by itself on a full disk');
        await this.#startOnFullVolume();
        restarts = this.#restarts();
      }
      site.edge.kill('inference', 'SIGCONT');
      // Everything that was acknowledged gets through while the volume is full; new readings come in its place.
      const before = this.#site.ledger.acknowledged;
      await this.#until(
        () => this.#site.ledger.acknowledged > before + 2_000,
        'readings are taken in the place of those that were receipted',
      );
      stop = true;
      await this.#ended(feeding);
      await this.#drain();
      // Reserves that were given up are all that can be free.
      mustHold(this.#volume.freeBytes < RESERVES_BYTES, 'the volume was not full any more');
    } finally {
      stop = true;
      site.edge.kill('inference', 'SIGCONT');
      this.#volume.free();
    }
    await this.#until(() => this.#reservesHeld(), 'the reserves are taken back');
    await this.#feedFor(300);
    const ended = this.#restarts() - restarts;
    mustHold(
      ended === 0,
      `modules ended ${ended} times: ${this.#site.errors.slice(-3).join(' | ')}`,
    );
    say(`cycle ${cycle + 1}: ${this.#site.ledger.acknowledged} readings acknowledged`);
  }

  async #startOnFullVolume(): Promise<void> {
    for (const id of ['ingest', 'forwarder']) {
      await this.#site.site.edge.restart(id);
      await this.#until(async () => {
        const response = await fetch(`${this.#site.site.url(id)}/healthz`);
        return response.ok;
      }, `${id} starts on a full volume`);
    }
  }

  /** The check for room comes before the body, so an empty request is told to wait as any other. */
  async #toldToWait(): Promise<boolean> {
    const response = await fetch(`${this.#site.site.url('ingest')}/v1/readings`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#site.site.token}`,
        'content-type': 'application/json',
      },
      body: '[]',
    });
    await response.text();
    if (response.status < 429) return false;
    mustHold(response.status === 429, `a full disk is answered ${response.status}`);
    mustHold(response.headers.get('retry-after') !== null, 'an answer 429 has no Retry-After');
    this.#refusals++;
    return true;
  }

  async #reservesHeld(): Promise<boolean> {
    for (const id of ['ingest', 'forwarder']) {
      const response = await fetch(`${this.#site.site.url(id)}/status`);
      const { disk } = (await response.json()) as { disk: Record<string, number> };
      const file = `${this.#volume.folder}/${id}/${id === 'ingest' ? 'journal' : id}.db.reserve`;
      if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) !== disk.reserveBytes)
        return false;
    }
    return true;
  }

  /** For the message of a failure. */
  async #state(): Promise<string> {
    const states = ['ingest', 'forwarder'].map(async (id) => {
      const response = await fetch(`${this.#site.site.url(id)}/status`);
      const { disk, waiting, inFlight } = (await response.json()) as Record<string, unknown>;
      return `${id} ${JSON.stringify({ disk, waiting, inFlight })}`;
    });
    const known = await Promise.all(states.map((state) => state.catch(() => 'a module is down')));
    return `${this.#volume.freeBytes} bytes free, ${known.join(', ')}`;
  }

  async #feedFor(ms: number): Promise<void> {
    const end = performance.now() + ms;
    const { signal } = this.#round;
    await this.#ended(this.#site.feeder.feed({ until: () => performance.now() > end, signal }));
  }

  /** What a source has begun to post is acknowledged in time. @throws FaultFound */
  async #ended(feeding: Promise<void>): Promise<void> {
    let over = false;
    const watched = feeding.then(() => {
      over = true;
    });
    await Promise.race([watched, this.#until(() => over, 'what was posted is acknowledged')]);
  }

  async #drain(): Promise<void> {
    await this.#site.drain({ stallMs: 20_000 });
  }

  #restarts(): number {
    return this.#site.site.edge
      .modules()
      .filter(({ id }) => (MODULES as readonly string[]).includes(id))
      .reduce((sum, { restarts }) => sum + restarts, 0);
  }

  /** @throws FaultFound */
  async #until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    try {
      await until(condition, { timeoutMs: PATIENCE_MS, every: 50, what });
    } catch (error) {
      const { message } = error as Error;
      throw error instanceof FaultFound
        ? error
        : new FaultFound(
            `${message}; ${await this.#state()}; ${this.#site.errors.slice(-3).join(' | ')}`,
          );
    }
  }
}
