import { setTimeout as sleep } from 'node:timers/promises';
import { Ledger, type Tally } from './ledger.ts';
import { Load } from './load.ts';
import type { RunningPeer } from './peer.ts';
import { settle } from './speed.ts';
import type { Volume } from './volume.ts';

export interface DiskFull extends Tally {
  /** Acknowledged while not a byte was free; what of it was stored is in the tally. */
  acknowledgedWhileFull: number;
  /** What the source was told instead, by how often. */
  told: Record<string, number>;
  /** Ends of its processes meanwhile. */
  restarts: number;
  /** From room to the next acknowledged reading; undefined when none came within `RECOVERY_MS`. */
  recoveredMs: number | undefined;
}

const LOAD = { rows: 20, atOnce: 16, rate: 2_000 };
const FULL_MS = 8_000;
const RECOVERY_MS = 30_000;
/** The last megabyte is filled by the peer itself, what then still comes free by others. */
const LEFT_TO_PEER = 1 << 20;

/** Fills the volume of the store, from outside and from inside, leaves it full for seconds, and makes room again. */
export async function countLossesByFullDisk(
  peer: RunningPeer,
  { volume, calmMs }: { volume: Volume; calmMs?: number | undefined },
): Promise<DiskFull> {
  const ledger = new Ledger();
  const source = peer.source();
  const restartsOf = () => peer.processes().reduce((sum, { restarts }) => sum + restarts, 0);
  const before = restartsOf();
  const load = new Load({ source, ledger, first: 0, ...LOAD });
  await sleep(2_000);
  volume.fill(LEFT_TO_PEER);
  await sleep(FULL_MS / 2);
  volume.fill(0);
  const whenFull = ledger.acknowledged;
  await sleep(FULL_MS / 2);
  const acknowledgedWhileFull = ledger.acknowledged - whenFull;
  volume.clear();
  const recoveredMs = await untilAcknowledged(ledger);
  await sleep(2_000);
  await load.stop();
  await settle(peer, calmMs);
  await source.close();
  const tally = ledger.compare(await peer.stored(load.next));
  const restarts = restartsOf() - before;
  return { ...tally, acknowledgedWhileFull, told: source.told, restarts, recoveredMs };
}

async function untilAcknowledged(ledger: Ledger): Promise<number | undefined> {
  const roomAt = performance.now();
  const before = ledger.acknowledged;
  while (performance.now() - roomAt < RECOVERY_MS) {
    if (ledger.acknowledged > before) return performance.now() - roomAt;
    await sleep(10);
  }
  return undefined;
}
