import { validateProject } from '../deployment/validate.ts';
import { projectOf, readArguments, UsageError } from './arguments.ts';
import type { Terminal } from './terminal.ts';

/** Says everything that is wrong with a deployment. */
export function validate(args: readonly string[], terminal: Terminal): number {
  const { values, positionals } = readArguments(args, ['template', 'manifest', 'env', 'platform']);
  if (positionals.length > 0) throw new UsageError(`validate takes no argument ${positionals[0]}`);
  const project = projectOf(values, terminal.environment);
  const { errors, warnings } = validateProject(project);
  for (const warning of warnings) terminal.error(`warning: ${warning}`);
  for (const error of errors) terminal.error(`error: ${error}`);
  const file = project.template ?? project.manifest;
  if (errors.length === 0) terminal.out(`${file} can be deployed, and run by the local edge`);
  return errors.length === 0 ? 0 : 1;
}
