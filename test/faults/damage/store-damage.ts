import path from 'node:path';
import { ChildProcess } from '@holdfast/testkit';
import { type Plant, plantEnvironment } from '../plants/plant.ts';
import { type Counts, FaultFound, type Round, type Scenario } from '../scenario.ts';

const ADAPTERS = 'modules/forwarder/src/adapters';

const PLANTS: readonly Plant[] = [
  {
    name: 'checksum-not-asked',
    file: `${ADAPTERS}/proven-rows.ts`,
    find: 'if (row.sum === null) return recordFits(row);',
    replace: 'return true;',
  },
  {
    name: 'loss-without-gap-record',
    file: `${ADAPTERS}/losses.ts`,
    find: '  return losses;',
    replace: '  return [];',
  },
  {
    name: 'lost-records-still-pending',
    file: `${ADAPTERS}/salvage.ts`,
    find: 'dead: Math.max(lost, 0)',
    replace: 'dead: 0',
  },
  {
    name: 'positions-not-restored',
    file: `${ADAPTERS}/proof.ts`,
    find: "for (const position of steering.positions) put('position', position);",
    replace: '',
  },
  {
    name: 'no-copy-beside-the-database',
    file: `${ADAPTERS}/proof.ts`,
    find: 'if (!existsSync(asideOf(file))) return undefined;',
    replace: 'return undefined;',
  },
  {
    name: 'sealed-records-under-another-name',
    file: `${ADAPTERS}/sealing.ts`,
    find: '    if (there === true) {',
    replace: '    if (Number.isNaN(blob.count)) {',
  },
  {
    name: 'open-rollups-forgotten',
    file: 'modules/forwarder/src/apply.ts',
    find: 'if (count <= 0) continue;',
    replace: 'if (count !== 0) continue;',
  },
  {
    name: 'upload-before-checkpoint',
    file: `${ADAPTERS}/commits.ts`,
    find: 'copyLog(db);\n      proofOf(db).keepAside();',
    replace: 'proofOf(db).keepAside();',
  },
  {
    name: 'deleted-rows-come-back',
    file: 'modules/forwarder/src/sqlite-file/rows.ts',
    find: 'if (this.#seen.has(number) || free.has(number)) continue;',
    replace: 'if (this.#seen.has(number)) continue;',
  },
];

export const storeDamage: Scenario = {
  name: 'damage-forwarder-store',
  topic: 'damage',
  fault:
    'Bits flipped (1 to 64), ranges zeroed or filled with garbage, and cuts, at random and at the edges of pages and frames, in the database and the log of the forwarder, with records in every state and the log hot and cold.',
  holds:
    'The forwarder starts within seconds and goes on; every record in a blob is one that was made, once; what is lost stands in gap records to the unit; the books balance; a second start finds nothing.',
  plants: PLANTS,
  run,
};

async function run(round: Round): Promise<Counts> {
  const child = ChildProcess.start(path.join(import.meta.dirname, 'store-rounds.ts'), {
    env: {
      SEED: String(round.seed),
      COUNT: round.size === 'short' ? '40' : '250',
      FOLDER: round.folder,
      ...plantEnvironment(round.plant),
    },
  });
  const stop = (): void => void child.kill();
  round.signal.addEventListener('abort', stop);
  await child.exited;
  round.signal.removeEventListener('abort', stop);
  const line = child.output.split('\n').find((text) => text.startsWith('result '));
  if (line === undefined) throw new Error(`no result from the process: ${child.output}`);
  const { counts, fault } = JSON.parse(line.slice('result '.length)) as {
    counts: Record<string, number>;
    fault?: string;
  };
  if (fault !== undefined) throw new FaultFound(fault);
  return counts;
}
