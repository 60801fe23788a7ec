import { join } from 'node:path';
import { type Counts, mustHold, type Round, type Scenario } from '../scenario.ts';
import type { ModuleResult } from './module-worker.ts';
import { eachLine } from './worker-lines.ts';

const WORKER = join(import.meta.dirname, 'module-worker.ts');
const DAMAGES = { short: 6, long: 60 };

export const moduleDamage: Scenario = {
  name: 'damage-ingest-module',
  topic: 'damage',
  fault:
    'ingest is ended at any moment under load, with readings applied, under way and waiting; its journal, the log of it, its refused rows and its settings are all damaged at once; then it starts again beside inference and forwarder',
  holds:
    'It starts by itself and takes readings; what was posted is either applied or lost, to the unit, in the books of ingest and of the forwarder alike; each lost range is a gap record at the forwarder with the reason.',
  plants: [
    {
      name: 'a-damaged-journal-stops-the-module',
      file: 'packages/journal/src/open-journal.ts',
      find: 'if (isDamage(error)) return reasonOf(error);',
      replace: '',
    },
    {
      name: 'inference-does-not-carry-what-is-lost',
      file: 'modules/inference/src/sender.ts',
      find: 'lost === undefined ? {} :',
      replace: 'lost !== null ? {} :',
    },
    {
      name: 'forwarder-does-not-tell-what-it-recorded',
      file: 'modules/forwarder/src/apply.ts',
      find: 'if (lost !== undefined) this.#losses.record(stream, epoch, { first, last });',
      replace: '',
    },
    {
      name: 'numbers-of-lost-readings-given-again',
      file: 'packages/journal/src/verify.ts',
      find: 'appended < marked',
      replace: 'appended < 0',
    },
  ],
  run,
};

async function run(round: Round): Promise<Counts> {
  const counts = { damages: 0, salvages: 0, 'readings lost': 0 };
  const take = (result: ModuleResult & { number: number }): void => {
    const { number, damage, problems } = result;
    counts.damages += 1;
    counts.salvages += result.salvaged ? 1 : 0;
    counts['readings lost'] += result.lost;
    mustHold(problems.length === 0, `damage ${number} (${damage}): ${problems.join('; ')}`);
  };
  await eachLine(round, { worker: WORKER, count: DAMAGES[round.size], take });
  return counts;
}
