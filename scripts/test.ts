/**
 * `npm test`: format, lint, types and import rules, then all tests. `npm test -- unit` or `-- system` runs one
 * project of jest alone, and further words go to jest: `npm test -- system test/hub`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, runSteps, STATIC_CHECKS } from './steps.ts';

interface JestResults {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numRuntimeErrorTestSuites: number;
}

/** Runs jest and returns its exit code and counts; a suite that could not be loaded counts as a failed test. */
async function jest(project: string, args: readonly string[]) {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-jest-'));
  const outputFile = path.join(folder, 'results.json');
  // System tests measure each other's processes otherwise; a handle that one left open must not stop the machine.
  const workers = project === 'unit' ? ['--maxWorkers=2'] : ['--runInBand', '--forceExit'];
  const code = await run('jest', [
    '--selectProjects',
    project,
    ...workers,
    '--json',
    `--outputFile=${outputFile}`,
    '--silent=false',
    ...args,
  ]);
  let results: JestResults | undefined;
  try {
    results = JSON.parse(readFileSync(outputFile, 'utf8'));
  } catch {
    console.error(`jest wrote no results for the project ${project}.`);
  }
  rmSync(folder, { recursive: true, force: true });
  return {
    code,
    passed: results?.numPassedTests ?? 0,
    failed: (results?.numFailedTests ?? 1) + (results?.numRuntimeErrorTestSuites ?? 0),
    skipped: results?.numPendingTests ?? 0,
  };
}

const [first, ...rest] = process.argv.slice(2);
const single = first === 'unit' || first === 'system' ? first : undefined;

let exitCode = 0;
if (single === undefined) {
  exitCode = await runSteps([
    ...STATIC_CHECKS,
    { name: 'deployment manifests', command: 'node', args: ['scripts/validate.ts'] },
  ]);
}
if (exitCode === 0) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const project of single === undefined ? ['unit', 'system'] : [single]) {
    const result = await jest(project, single === undefined ? process.argv.slice(2) : rest);
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
    if (result.code !== 0) exitCode = result.code;
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}
process.exitCode = exitCode;
