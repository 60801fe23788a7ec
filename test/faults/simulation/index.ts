import { spawn } from 'node:child_process';
import path from 'node:path';
import { type Plant, plantEnvironment } from '../plants/plant.ts';
import { type Counts, FaultFound, type Round, type Scenario } from '../scenario.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/** Steps of one world, and of a round: the long one is the million that the promise is tried with. */
const WORLD_STEPS = 10_000;
const STEPS = { short: 40_000, long: 1_000_000 };

const PLANTS: readonly Plant[] = [
  {
    name: 'failed-commit-acknowledged',
    file: 'packages/journal/src/database.ts',
    find: 'if (db.inTransaction) rollback.run();\n      throw asJournalError(error, path);',
    replace: 'if (db.inTransaction) rollback.run();\n      return undefined as never;',
  },
  {
    name: 'position-not-stored',
    file: 'modules/forwarder/src/apply.ts',
    find: 'this.#store.setPosition(message.stream, message.epoch, message.last);',
    replace: '',
  },
  {
    name: 'delivered-before-the-answer',
    file: 'modules/forwarder/src/upload.ts',
    find: 'const outcome = await target.put(',
    replace: 'sealing.delivered(blob); const outcome = await target.put(',
  },
  {
    name: 'overlap-applied-twice',
    file: 'packages/stream/src/receiver.ts',
    find: 'apply.push({ batch, from: next });',
    replace: 'apply.push({ batch, from: batch.first });',
  },
  {
    name: 'message-of-a-device-stored-again',
    file: 'modules/ingest/src/adapters/devices-source.ts',
    find: 'if (id && journal.findKey(id) !== undefined) return;',
    replace: '',
  },
  {
    name: 'lookback-pruned',
    file: 'packages/journal/src/partition.ts',
    find: 'const keepFrom = this.storedReceipted + 1 - (keepLookback ? this.#span : 0);',
    replace: 'const keepFrom = this.storedReceipted + 1;',
  },
  {
    name: 'evicted-uncounted',
    file: 'modules/forwarder/src/adapters/outbox.ts',
    find: 'this.#takeFromLane.run({ lane, count: eviction.count, bytes: eviction.bytes });',
    replace: '',
  },
];

/** Runs worlds in a process of its own, so that a bug can be planted into it. */
function simulate(round: Round, steps: number): Promise<Counts> {
  const seed = round.seed * 1_000;
  const args = ['--known', '--seed', seed, '--steps', steps, '--world', WORLD_STEPS].map(String);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(ROOT, 'scripts/simulate.ts'), ...args], {
      cwd: ROOT,
      env: { ...process.env, ...plantEnvironment(round.plant) },
      stdio: ['ignore', 'pipe', 'pipe'],
      signal: round.signal,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', reject);
    child.once('close', (code) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      if (code === 0) {
        const { seconds: _, ...counts } = JSON.parse(last) as Counts;
        resolve(counts);
      } else if (output.includes(`plant ${round.plant?.name}`)) reject(new Error(output));
      else reject(new FaultFound(output.trimEnd()));
    });
  });
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'simulation-site',
    topic: 'simulation',
    fault:
      'The real code and databases of all three modules in one process; one seed drives clock, network, disks and store: lost, repeated and reordered messages, kills before and after commits, full disks, a store that is away, throttles or loses answers, steps of the wall clock (`npm run simulate`).',
    holds:
      'Each acknowledged reading arrives once with the score of its own window, or is counted with its reason; the accounts hold at every look; when the faults end, everything comes to rest.',
    plants: PLANTS,
    run: (round) => simulate(round, STEPS[round.size]),
  },
];
