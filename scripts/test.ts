/**
 * `npm test`: format, lint, types and import rules, then all tests, then every fault scenario in its short form.
 * `npm test -- unit` or `-- system` runs one project of jest alone, and further words go to jest:
 * `npm test -- system test/hub`. `npm run test:faults` runs the faults alone.
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

/** Runs all fault scenarios in their short form and returns exit code and counts. */
async function faults() {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-faults-'));
  const outputFile = path.join(folder, 'results.json');
  const code = await run('node', ['scripts/faults.ts', '--results', outputFile]);
  let results: { outcome: string }[] | undefined;
  try {
    results = JSON.parse(readFileSync(outputFile, 'utf8'));
  } catch {
    console.error('The fault scenarios wrote no results.');
  }
  rmSync(folder, { recursive: true, force: true });
  const count = (outcome: string): number =>
    results?.filter((result) => result.outcome === outcome).length ?? 0;
  return {
    code,
    passed: count('passed'),
    failed: results === undefined ? 1 : count('failed'),
    skipped: count('skipped'),
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
  const suites =
    single === undefined
      ? [
          () => jest('unit', process.argv.slice(2)),
          () => jest('system', process.argv.slice(2)),
          faults,
        ]
      : [() => jest(single, rest)];
  for (const suite of suites) {
    const result = await suite();
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
    if (result.code !== 0) exitCode = result.code;
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
}
process.exitCode = exitCode;
