/** `npm run check`: what must hold before a commit, in under two minutes. */
import { runSteps } from './steps.ts';

process.exitCode = await runSteps([
  { name: 'format and lint', command: 'biome', args: ['check', '.'] },
  { name: 'types', command: 'tsc', args: ['-p', '.'] },
  { name: 'import rules', command: 'node', args: ['scripts/import-rules.ts'] },
  { name: 'published schemas', command: 'node', args: ['scripts/schemas.ts', '--check'] },
  { name: 'settings tables', command: 'node', args: ['scripts/settings-tables.ts', '--check'] },
  { name: 'unit and property tests', command: 'node', args: ['scripts/test.ts', 'unit'] },
]);
