/**
 * A process that damages the forwarder's store again and again: each time one of the states, one damage, then the real
 * forwarder on it until the stream has gone on and everything is delivered. Prints one JSON line: what was counted,
 * and the first promise that did not hold.
 */
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { type Seeded, seeded } from '@holdfast/testkit';
import { FaultFound, mustHold } from '../scenario.ts';
import { BlobStore } from './blob-store.ts';
import { damageFile } from './file-damage.ts';
import { checkStore } from './store-check.ts';
import { Ended, type Produced, StoreForwarder } from './store-forwarder.ts';
import { buildStates, copyStore, type StoreState } from './store-states.ts';

/** "Starts within seconds", for stores of less than a megabyte on a machine that does other things too. */
const START_MS_MAX = 5_000;
/** Damage met in the middle of a run ends the process, and the next start salvages: then it must be over. */
const ENDS_MAX = 2;

const { SEED, COUNT, FOLDER, ONLY } = process.env;
const folder = FOLDER ?? '.';
const counts = {
  ...{ damages: 0, salvaged: 0, ends: 0, delivered: 0, 'lost records': 0, 'lost readings': 0 },
  'books lost': 0,
  'longest start in ms': 0,
};

/** Damages the database, its log, or both. */
function damageStore(file: string, own: Seeded): string {
  const [database, log] = [own.chance(0.6), own.chance(0.6)];
  const done = [
    database || !log ? damageFile(file, own) : undefined,
    log ? damageFile(`${file}-wal`, own) : undefined,
  ];
  return `database: ${done[0]?.text ?? 'as it was'}; log: ${done[1]?.text ?? 'as it was'}`;
}

async function oneDamage(state: StoreState, random: Seeded, name: string): Promise<void> {
  const at = path.join(folder, name);
  mkdirSync(at);
  copyStore(state.folder, at);
  const what = damageStore(path.join(at, 'forwarder.db'), random);
  const produced: Produced = new Map([...state.produced].map(([id, set]) => [id, new Set(set)]));
  const store = await BlobStore.start(state.blobs);
  // Receipts lag behind: of the last rows the sender may not know that they were applied.
  const base = random.chance(0.5) ? state.applied : state.applied - random.int(0, 120);
  const lines: string[] = [];
  try {
    await goOn({ at, state, store, produced, base, lines });
  } catch (error) {
    if (!(error instanceof FaultFound)) throw error;
    throw new FaultFound(
      `${error.message}\n${lines.join('\n')}\nstate: ${state.name}; base ${base}; damage: ${what}`,
    );
  } finally {
    await store.stop();
  }
  rmSync(at, { recursive: true, force: true });
}

async function goOn(given: {
  at: string;
  state: StoreState;
  store: BlobStore;
  produced: Produced;
  base: number;
  /** Gets what the forwarder complained about. */
  lines: string[];
}): Promise<void> {
  const { at, state, store, produced, base, lines } = given;
  const rows = state.applied + 200;
  for (let ends = 0; ; ends++) {
    mustHold(ends <= ENDS_MAX, 'the process ends again and again');
    let forwarder: StoreForwarder | undefined;
    try {
      const startedMs = performance.now();
      forwarder = await StoreForwarder.start({
        ...{ folder: at, connection: store.connection, produced },
        upload: { recordsMax: 500 },
      });
      const tookMs = Math.round(performance.now() - startedMs);
      counts['longest start in ms'] = Math.max(counts['longest start in ms'], tookMs);
      mustHold(tookMs < START_MS_MAX, `the start took ${tookMs} ms`);
      forwarder.apply(base + 1, rows, base);
      for (let tries = 0; (await forwarder.flush()) > 0; tries++) {
        mustHold(tries < 20, `records do not leave: ${JSON.stringify(forwarder.status)}`);
      }
      const all = [...lines, ...forwarder.fake.lines];
      const booksLost = all.some((line) => line.includes('"books":"rows"'));
      if (booksLost) counts['books lost']++;
      const found = await checkStore({ forwarder, blobs: store.blobs, produced, rows, booksLost });
      counts.delivered += found.delivered;
      counts['lost records'] += found.lostRecords;
      counts['lost readings'] += found.lostReadings;
      if (forwarder.fake.lines.some((line) => line.includes('FWD_STORE_DAMAGED')))
        counts.salvaged++;
      await secondStart({ forwarder, at, store, produced });
      return;
    } catch (error) {
      const code = (error as { code?: string }).code;
      mustHold(
        error instanceof FaultFound || error instanceof Ended || code === 'FWD_STORE_DAMAGED',
        `the forwarder failed: ${(error as Error).stack}`,
      );
      if (error instanceof FaultFound) throw error;
      counts.ends++;
    } finally {
      lines.push(...(forwarder?.fake.lines.filter((line) => /^(error|warn)/.test(line)) ?? []));
      await forwarder?.stop();
    }
  }
}

/** What was salvaged is whole: another start finds nothing, and says the same. */
async function secondStart(given: {
  forwarder: StoreForwarder;
  at: string;
  store: BlobStore;
  produced: Produced;
}): Promise<void> {
  const { forwarder, at, store, produced } = given;
  const before = given.forwarder.status.lanes;
  await forwarder.stop();
  const again = await StoreForwarder.start({ folder: at, connection: store.connection, produced });
  try {
    const complaint = again.fake.lines.find((line) => line.includes('FWD_STORE_DAMAGED'));
    mustHold(complaint === undefined, `a second start still finds damage: ${complaint}`);
    const after = JSON.stringify(again.status.lanes);
    mustHold(after === JSON.stringify(before), `a second start has other books: ${after}`);
  } finally {
    await again.stop();
  }
}

const random = seeded(Number(SEED));
let fault: string | undefined;
process.on('unhandledRejection', (error) => {
  if (!(error instanceof Ended)) throw error;
});
try {
  const states = await buildStates(path.join(folder, 'states'));
  for (let i = 0; i < Number(COUNT); i++) {
    // Each damage has a seed of its own, so that one of them can be repeated alone.
    const own = seeded(random.int(0, 2 ** 31));
    const state = own.pick(states);
    if (ONLY !== undefined && i !== Number(ONLY)) continue;
    try {
      await oneDamage(state, own, `damage-${i}`);
    } catch (error) {
      if (error instanceof FaultFound) error.message += `\nONLY=${i}`;
      throw error;
    }
    counts.damages++;
  }
} catch (error) {
  if (!(error instanceof FaultFound)) throw error;
  fault = error.message;
}
console.log(`result ${JSON.stringify({ counts, fault })}`);
process.exit(0);
