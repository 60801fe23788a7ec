import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { cutPower } from '../disk/cuts.ts';
import { shimUnavailable } from '../disk/shim.ts';
import { type Counts, mustHold, type Round, type Scenario } from '../scenario.ts';
import { linesOf, recorded } from './recorded.ts';
import { contentOf, FILES, type Said } from './small-files-workload.ts';

const SUBJECT = path.join(import.meta.dirname, 'small-files-subject.ts');
const REPLACE = 'packages/module-host/src/replace-file.ts';

export const powerSmallFiles: Scenario = {
  name: 'power-small-files',
  topic: 'power',
  fault:
    'The power is cut while small files (settings, cursors; keys and certificates of the local edge) are replaced.',
  holds:
    'Each file has its old content or its new one, whole, and the new one once the call has returned.',
  plants: [
    {
      name: 'file-not-synced',
      file: REPLACE,
      find: '    fsyncSync(written);\n',
      replace: '',
    },
    {
      name: 'folder-not-synced',
      file: REPLACE,
      find: '    fsyncSync(folder);\n',
      replace: '',
    },
    {
      name: 'edge-file-not-synced',
      file: 'edge/src/replace-file.ts',
      find: '    fsyncSync(written);\n',
      replace: '',
    },
  ],
  unavailable: async () => shimUnavailable(),
  run,
};

async function run(round: Round): Promise<Counts> {
  const { size, seed, folder, signal } = round;
  const rounds = size === 'short' ? 60 : 300;
  const entries = await recorded(round, SUBJECT, (disk) => [disk, String(seed), String(rounds)]);
  const lines = linesOf(entries).map(({ line, at }) => ({ said: JSON.parse(line) as Said, at }));
  const begun = FILES.map(() => 0);
  const done = FILES.map(() => 0);
  let taken = 0;
  const image = path.join(folder, 'image');
  const count = size === 'short' ? 200 : 2_000;
  const cuts = await cutPower({ entries, image, seed, count, signal }, ({ at }) => {
    for (; taken < lines.length && lines[taken]!.at <= at; taken += 1) {
      const { said } = lines[taken]!;
      if ('begun' in said) begun[said.which] = said.begun;
      else done[said.which] = said.done;
    }
    FILES.forEach((name, which) => {
      const file = path.join(image, name);
      const found = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
      const allowed = [done[which]!, begun[which]!];
      const whole = allowed.some(
        (number) => found === (number === 0 ? undefined : contentOf(number)),
      );
      const shown = JSON.stringify(found?.slice(0, 30));
      mustHold(whole, `${name} holds ${shown}, and should be number ${allowed.join(' or ')}`);
    });
  });
  return { cuts, replaced: rounds, operations: entries.length };
}
