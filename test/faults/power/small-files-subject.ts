/** The process whose power is cut: replaces two small files again and again. `<disk> <seed> <rounds>` */
import { writeSync } from 'node:fs';
import path from 'node:path';
import { replaceFile } from '@holdfast/module-host';
import { seeded } from '@holdfast/testkit';
import { replaceFile as replaceEdgeFile } from '../../../edge/src/replace-file.ts';
import { contentOf, FILES } from './small-files-workload.ts';

const [disk, seed, rounds] = process.argv.slice(2) as [string, string, string];
const random = seeded(Number(seed));
for (let round = 1; round <= Number(rounds); round += 1) {
  const which = random.int(0, 1);
  const file = path.join(disk, FILES[which]!);
  writeSync(1, `${JSON.stringify({ which, begun: round })}\n`);
  if (which === 0) replaceFile(file, contentOf(round));
  else replaceEdgeFile(file, contentOf(round), 0o600);
  writeSync(1, `${JSON.stringify({ which, done: round })}\n`);
}
