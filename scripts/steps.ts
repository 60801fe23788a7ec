import { spawn } from 'node:child_process';
import path from 'node:path';

/** Root of the checkout: scripts find everything from here, whatever the working directory. */
export const ROOT = path.resolve(import.meta.dirname, '..');

/** Our modules: folder, image and module id. */
export const MODULES = ['ingest', 'inference', 'forwarder'];

export interface Step {
  name: string;
  command: string;
  args: readonly string[];
}

/** What is checked without running our code's tests. */
export const STATIC_CHECKS: readonly Step[] = [
  { name: 'format and lint', command: 'biome', args: ['check', '.'] },
  { name: 'types', command: 'tsc', args: ['-p', '.'] },
  { name: 'import rules', command: 'node', args: ['scripts/import-rules.ts'] },
  { name: 'published schemas', command: 'node', args: ['scripts/schemas.ts', '--check'] },
  { name: 'benchmark document', command: 'node', args: ['scripts/benchmarks-doc.ts', '--check'] },
  { name: 'settings tables', command: 'node', args: ['scripts/settings-tables.ts', '--check'] },
  { name: 'planted bugs', command: 'node', args: ['scripts/plants.ts'] },
  { name: 'testing document', command: 'node', args: ['scripts/testing-doc.ts', '--check'] },
];

/** Runs a program with the output on our own terminal; resolves with its exit code. */
export function run(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const bin = path.join(ROOT, 'node_modules', '.bin');
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`, ...env },
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
  });
}

/** Runs steps in order and stops at the first that fails; says what runs, how long it took and what failed. */
export async function runSteps(steps: readonly Step[]): Promise<number> {
  const startedAt = performance.now();
  for (const [index, step] of steps.entries()) {
    console.log(`[${index + 1}/${steps.length}] ${step.name}`);
    const stepStartedAt = performance.now();
    const code = await run(step.command, step.args);
    const seconds = ((performance.now() - stepStartedAt) / 1000).toFixed(1);
    if (code !== 0) {
      console.error(
        `${step.name} failed after ${seconds} s: ${step.command} ${step.args.join(' ')}`,
      );
      return code;
    }
    console.log(`      ${step.name}: ok, ${seconds} s`);
  }
  console.log(
    `All ${steps.length} steps passed in ${((performance.now() - startedAt) / 1000).toFixed(0)} s.`,
  );
  return 0;
}
