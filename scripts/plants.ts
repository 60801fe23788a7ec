/**
 * Checks that each bug the fault scenarios plant, and each point at which they kill, still has its place: a text that
 * stands exactly once in its file.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { killPointProblems } from '../test/faults/kills/check-kill-points.ts';
import { SCENARIOS } from '../test/faults/scenarios.ts';
import { ROOT } from './steps.ts';

let plants = 0;
for (const { name, plants: own } of SCENARIOS) {
  if (own.length === 0) problem(`${name} has no planted bug: nothing shows that it can see`);
  for (const { name: plant, file, find } of own) {
    plants += 1;
    const times = readFileSync(path.join(ROOT, file), 'utf8').split(find).length - 1;
    if (times !== 1) problem(`${name}: the text of ${plant} stands ${times} times in ${file}`);
  }
}
for (const text of killPointProblems((file) => readFileSync(path.join(ROOT, file), 'utf8'))) {
  problem(text);
}
console.log(`      ${plants} planted bugs of ${SCENARIOS.length} scenarios have their place`);
process.exit();

function problem(text: string): void {
  console.error(text);
  process.exitCode = 1;
}
