/**
 * The walls of the code base, checked on every import:
 * - what is below never knows what is above: packages, then modules, edge and scenarios, then scripts and test;
 * - modules meet only through messages: none imports another, nor the local edge;
 * - `domain/` is pure: nothing from Node, no adapter, no library but the contracts;
 * - another workspace is imported by its name, never by a path into its files.
 */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './steps.ts';

export interface Import {
  file: string;
  line: number;
  target: string;
}

const PATTERN =
  /^\s*(?:import|export)\b[^'"]*?from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/;

/** Imports of one file, with paths made relative to the root. Import lists over several lines are joined first. */
export function importsOf(file: string, source: string): Import[] {
  const joined = source.replace(/\{[^{}'"]*\}(?=\s*from)/g, (list) =>
    list.replace(/[^\n{}]/g, ' '),
  );
  const lines = joined.split('\n');
  const found: Import[] = [];
  for (const [index, line] of lines.entries()) {
    const text = /^\s*(import|export)\b[^'"]*$/.test(line)
      ? lines.slice(index, index + 60).join(' ')
      : line;
    const match = PATTERN.exec(text);
    const name = match?.[1] ?? match?.[2] ?? match?.[3];
    if (name === undefined) continue;
    const target = name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name) : name;
    found.push({ file, line: index + 1, target });
  }
  return found;
}

const workspaceOf = (file: string): string => {
  const parts = file.split('/');
  return ['packages', 'modules', 'scenarios'].includes(parts[0] ?? '')
    ? parts.slice(0, 2).join('/')
    : (parts[0] ?? '');
};

const isTest = (file: string): boolean => /\.test\.ts$|^test\/|\/bench\/|\/testing\//.test(file);

/** Why an import is not allowed, or undefined. */
export function problemOf(
  { file, target }: Import,
  packages: ReadonlySet<string>,
): string | undefined {
  const from = workspaceOf(file);
  const inWorkspace =
    target.includes('/') &&
    !target.startsWith('@') &&
    !target.startsWith('node:') &&
    /\.(ts|js|json)$/.test(target);
  if (inWorkspace && workspaceOf(target) !== from && !['scripts', 'test'].includes(from)) {
    return `reaches into ${workspaceOf(target)} by path; import it by name`;
  }
  if (isTest(file)) return undefined;
  const own = target.startsWith('@holdfast/')
    ? target.slice('@holdfast/'.length).split('/')[0]
    : undefined;
  if (
    own !== undefined &&
    !packages.has(own) &&
    (from.startsWith('packages/') || from.startsWith('modules/'))
  ) {
    return `${from} must not know ${target}`;
  }
  if (
    own === 'testkit' &&
    (from.startsWith('modules/') || (from.startsWith('packages/') && from !== 'packages/testkit'))
  ) {
    return 'testkit is for tests';
  }
  if (file.includes('/domain/')) {
    if (target.startsWith('node:')) return 'domain code is pure: no Node modules';
    if (target.includes('/adapters/')) return 'domain code knows no adapter';
    if (!inWorkspace && !target.startsWith('@holdfast/')) return 'domain code uses no library';
  }
  return undefined;
}

if (import.meta.main) {
  const files = globSync('{packages,modules,edge,scenarios,scripts,test}/**/*.ts', {
    cwd: ROOT,
    exclude: (name) => name.includes('node_modules') || name.includes('/dist/'),
  });
  const packages = new Set(
    globSync('packages/*', { cwd: ROOT }).map((folder) => path.basename(folder)),
  );
  let problems = 0;
  for (const file of files.map((name) => name.split(path.sep).join('/')).sort()) {
    for (const found of importsOf(file, readFileSync(path.join(ROOT, file), 'utf8'))) {
      const problem = problemOf(found, packages);
      if (problem === undefined) continue;
      problems += 1;
      console.error(`${found.file}:${found.line}: ${found.target}: ${problem}`);
    }
  }
  if (problems > 0) process.exitCode = 1;
  else console.log(`      ${files.length} files keep the import rules`);
}
