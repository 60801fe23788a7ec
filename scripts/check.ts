/** `npm run check`: what must hold before a commit, in under two minutes. */
import { runSteps, STATIC_CHECKS } from './steps.ts';

process.exitCode = await runSteps([
  ...STATIC_CHECKS,
  { name: 'unit and property tests', command: 'node', args: ['scripts/test.ts', 'unit'] },
]);
