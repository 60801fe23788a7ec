import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { describeProblem, type Problem } from '@holdfast/contracts';
import { compileRoute } from '../routes/index.ts';
import { type Deployment, readManifest } from './deployment.ts';
import type { DeploymentError } from './errors.ts';
import { parseImage } from './images.ts';
import { openProject, type ProjectOptions, readText } from './project.ts';
import { unsupported } from './support.ts';
import { parseEnvironmentFile, type Variables, variablesIn } from './variables.ts';

export interface Validation {
  /** The deployment would not work. */
  errors: string[];
  /** It would work on a device, but not as written or not here. */
  warnings: string[];
}

/** Checks a template or manifest and all that belongs to it; collects everything instead of stopping. */
export function validateProject(options: ProjectOptions): Validation {
  const result: Validation = { errors: [], warnings: [] };
  if (options.template !== undefined) {
    collect(result, () => checkTemplate(options.template as string, options, result));
  }
  collect(result, () => {
    const { manifest, variables } = openProject(withPlaceholders(options));
    const deployment = readManifest(manifest);
    for (const problem of unsupported(deployment)) result.errors.push(describeProblem(problem));
    result.warnings.push(...routeEnds(deployment).map(describeProblem));
    result.warnings.push(...unexpanded(manifest, variables));
  });
  return result;
}

/** Validation must not need secrets: a variable without a value stands for itself. */
function withPlaceholders(options: ProjectOptions): ProjectOptions {
  if (options.template === undefined) return options;
  const example = path.join(folderOf(options), '.env.template');
  if (!existsSync(example)) return options;
  const { environmentFile, ...rest } = options;
  const file = environmentFile ?? path.join(folderOf(options), '.env');
  const own = existsSync(file) ? parseEnvironmentFile(readText(file)) : {};
  return {
    ...rest,
    environment: {
      ...parseEnvironmentFile(readText(example)),
      ...own,
      ...options.environment,
    },
  };
}

const folderOf = (options: ProjectOptions): string =>
  path.resolve(options.projectDir ?? path.dirname(options.template ?? options.manifest ?? '.'));

function collect(result: Validation, run: () => void): void {
  try {
    run();
  } catch (error) {
    const { code, problems, message } = error as DeploymentError;
    if (code === undefined || !code.startsWith('EDGE_')) throw error;
    result.errors.push(...(problems.length > 0 ? problems.map(describeProblem) : [message]));
  }
}

function checkTemplate(file: string, options: ProjectOptions, result: Validation): void {
  const text = readText(file);
  const folder = folderOf(options);
  const moduleFiles = moduleFolders(folder).map((name) =>
    path.join(folder, 'modules', name, 'module.json'),
  );
  const placeholders = [...text.matchAll(/"(\$\{MODULES\.[^"]+)"/g)].flatMap(
    ([, image]) => parseImage(image ?? '', 'amd64')?.name ?? [],
  );
  for (const name of moduleFolders(folder)) {
    if (!placeholders.includes(name) && !text.includes(`modules/${name}>`))
      result.warnings.push(
        `modules/${name}: has a module.json but is not used in ${path.basename(file)}`,
      );
  }
  const example = path.join(folder, '.env.template');
  if (!existsSync(example)) return;
  const described = Object.keys(parseEnvironmentFile(readText(example)));
  const used = new Set(variablesIn([text, ...moduleFiles.map(readText)].join('\n')));
  for (const name of used) {
    if (!described.includes(name))
      result.errors.push(
        `${name}: is used in ${path.basename(file)} or a module.json but has no entry in .env.template`,
      );
  }
  for (const name of described) {
    if (!used.has(name) && name !== 'DEFAULT_PLATFORM')
      result.warnings.push(
        `${name}: has an entry in .env.template but ${path.basename(file)} does not use it`,
      );
  }
}

function moduleFolders(projectDir: string): string[] {
  const parent = path.join(projectDir, 'modules');
  if (!existsSync(parent)) return [];
  return readdirSync(parent).filter((name) => existsSync(path.join(parent, name, 'module.json')));
}

/** Routes that begin or end at a module that is not deployed are legal, and a mistake almost always. */
function routeEnds(deployment: Deployment): Problem[] {
  const ids = deployment.modules.map(({ id }) => id);
  const problems: Problem[] = [];
  for (const [name, { route }] of Object.entries(deployment.routes)) {
    const { source, sink } = compileRoute(route);
    const at = `modulesContent.$edgeHub.properties.desired.routes.${name}`;
    const [messages, modules, from] = source.map((part) => part.toLowerCase());
    const known = ids.some((id) => id.toLowerCase() === from);
    if (messages === 'messages' && modules === 'modules' && from !== undefined && !known)
      problems.push({
        path: at,
        allowed: `begins at the module ${source[2]}, which is not deployed`,
      });
    if (sink.kind === 'module' && !ids.includes(sink.module))
      problems.push({
        path: at,
        allowed: `ends at the module ${sink.module}, which is not deployed`,
      });
  }
  return problems;
}

/** Variables that nobody gave a value stay in the manifest as they are. */
function unexpanded(manifest: Record<string, unknown>, variables: Variables): string[] {
  return variablesIn(JSON.stringify(manifest))
    .filter((name) => !Object.hasOwn(variables, name))
    .map((name) => `${name}: has no value and stays in the manifest as $${name}`);
}
