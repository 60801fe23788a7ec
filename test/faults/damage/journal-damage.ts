import { join } from 'node:path';
import type { Plant } from '../plants/plant.ts';
import { type Counts, mustHold, type Round, type Scenario } from '../scenario.ts';
import type { CaseResult } from './journal-case.ts';
import { eachLine } from './worker-lines.ts';

const WORKER = join(import.meta.dirname, 'journal-worker.ts');
const DAMAGES = { short: 100, long: 1_000 };

const journal = (file: string): string => `packages/journal/src/${file}.ts`;

const PLANTS: readonly Plant[] = [
  {
    name: 'checksum-of-chunks-not-asked',
    file: journal('chunk'),
    find: 'body.readUInt32LE(0) !== checksum(body, place)',
    replace: 'checksum(body, place) < 0',
  },
  {
    name: 'nothing-behind-a-broken-frame',
    file: journal('wal'),
    find: 'this.#chained = false;\n      wal.torn = true;',
    replace: 'this.#chained = false;\n      return;',
  },
  {
    name: 'end-of-the-journal-not-compared-with-its-mark',
    file: journal('verify'),
    find: 'appended < marked',
    replace: 'appended < 0',
  },
  {
    name: 'positions-not-compared-with-their-copies',
    file: journal('verify'),
    find: 'line !== lineOf(rows[index]!) || proof !== proofOf(line)',
    replace: 'line === proof',
  },
  {
    name: 'keys-without-proof',
    file: journal('idempotency-keys'),
    find: 'row.proof !== null && row.proof !== keyProof(row)',
    replace: "row.proof === ''",
  },
  {
    name: 'damaged-files-thrown-away',
    file: journal('salvage'),
    find: 'const put = quarantine([path, wal, markPath(path)], wallMs);',
    replace:
      'const put = undefined; for (const gone of [path, wal, markPath(path)]) rmSync(gone, { force: true });',
  },
  {
    name: 'lost-readings-not-counted',
    file: 'modules/ingest/src/stream-pump.ts',
    find: 'this.#ports.journal.receipt(this.#partition, outcome.through, lost);',
    replace: 'this.#ports.journal.receipt(this.#partition, outcome.through);',
  },
  {
    name: 'whole-gap-taken-for-lost',
    file: 'modules/ingest/src/domain/lost-rows.ts',
    find: 'if (recorded !== undefined) for',
    replace: 'if (recorded === null) for',
  },
  {
    name: 'gap-not-told',
    file: 'modules/ingest/src/domain/lost-rows.ts',
    find: 'if (lost.length === 0) return {};',
    replace: 'if (lost.length >= 0) return {};',
  },
  {
    name: 'gap-passed-before-its-turn',
    file: 'modules/ingest/src/domain/lost-rows.ts',
    find: 'if (first > reached + 1) break;',
    replace: '',
  },
];

export const journalDamage: Scenario = {
  name: 'damage-journal',
  topic: 'damage',
  fault:
    "ingest's journal, as SIGKILL or an orderly end leaves it, with up to 64 bits flipped anywhere or one near a word that much depends on, ranges zeroed or overwritten, or its file, log or mark cut off at any byte or at a page's edge; then it is opened and driven to its end by the real pumps",
  holds:
    'It opens within seconds without a person; each reading is applied once and as it was written, or lies in exactly one gap with range and reason; a few flipped bits cost no more than the chunks that they hit; what was applied before the damage is neither applied again nor called lost; the books agree to the unit; the damaged files are put aside; a second start finds nothing.',
  plants: PLANTS,
  run,
};

async function run(round: Round): Promise<Counts> {
  const counts = { damages: 0, salvages: 0, 'readings saved': 0, 'readings lost': 0 };
  const take = (result: CaseResult & { number: number }): void => {
    counts.damages += 1;
    counts.salvages += result.salvaged ? 1 : 0;
    counts['readings saved'] += result.saved;
    counts['readings lost'] += result.lost;
    const { number, damage, problems } = result;
    mustHold(problems.length === 0, `damage ${number} (${damage}): ${problems.join('; ')}`);
  };
  await eachLine(round, { worker: WORKER, count: DAMAGES[round.size], take });
  return counts;
}
