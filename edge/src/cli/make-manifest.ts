import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readManifest } from '../deployment/deployment.ts';
import { openProject } from '../deployment/project.ts';
import { variablesIn } from '../deployment/variables.ts';
import { projectOf, readArguments, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** Expands a template into a manifest that can be deployed. */
export function makeManifest(args: readonly string[], terminal: Terminal): number {
  const { values, positionals } = readArguments(args, ['template', 'env', 'platform', 'out']);
  if (positionals.length > 0) throw new UsageError(`manifest takes no argument ${positionals[0]}`);
  const project = openProject(projectOf(values, terminal.environment));
  readManifest(project.manifest);
  const text = `${JSON.stringify(project.manifest, null, 2)}\n`;
  for (const name of variablesIn(text))
    terminal.error(`warning: ${name} has no value and stays in the manifest`);
  if (values.out === '-') {
    terminal.out(text.trimEnd());
    return 0;
  }
  const file =
    values.out ?? path.join(project.projectDir, project.manifestFile ?? 'deployment.json');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text, { mode: 0o600 });
  terminal.out(
    `${path.relative(process.cwd(), file)} is written; it holds the values of all variables`,
  );
  return 0;
}
