import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { check, ModuleFile } from '@holdfast/contracts';
import { parseJson } from '../deployment/expand.ts';
import { expandVariables, type Variables } from '../deployment/variables.ts';
import { EdgeError } from './errors.ts';

/** Folder and script of a module on this machine. */
export interface ModuleCode {
  folder: string;
  entry: string;
}

/**
 * Finds the code of an image: the folder whose module.json names the same repository. There is no registry here.
 * @param folders each a module, or a folder of modules
 * @throws EdgeError EDGE_MODULE_UNKNOWN
 */
export function findModuleCode(
  image: string,
  folders: readonly string[],
  variables: Variables,
): ModuleCode {
  const repository = repositoryOf(image);
  const seen: string[] = [];
  for (const folder of folders.flatMap(moduleFolders)) {
    const found = repositoryIn(folder, variables);
    if (found === repository) return { folder, entry: entryOf(folder) };
    if (found !== undefined) seen.push(found);
  }
  throw new EdgeError(
    'EDGE_MODULE_UNKNOWN',
    `no folder has the code of the image ${image}; there are ${seen.join(', ') || 'no modules'} in ${folders.join(', ')}`,
  );
}

/** Registry and name, without tag and digest. */
export const repositoryOf = (image: string): string =>
  image
    .replace(/@.*$/, '')
    .replace(/:[^:/]*$/, '')
    .toLowerCase();

function moduleFolders(folder: string): string[] {
  if (existsSync(path.join(folder, 'module.json'))) return [folder];
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => path.join(folder, name))
    .filter((each) => existsSync(path.join(each, 'module.json')));
}

function repositoryIn(folder: string, variables: Variables): string | undefined {
  const file = path.join(folder, 'module.json');
  const text = expandVariables(readFileSync(file, 'utf8'), variables);
  const checked = check(ModuleFile, parseJson(text, file));
  return checked.ok ? checked.value.image.repository.toLowerCase() : undefined;
}

function entryOf(folder: string): string {
  const file = path.join(folder, 'package.json');
  const { main, exports } = existsSync(file) ? parseJson(readFileSync(file, 'utf8'), file) : {};
  const exported = (exports as Record<string, unknown> | undefined)?.['.'];
  const relative = [main, exported].find((each) => typeof each === 'string') ?? 'index.js';
  const entry = path.join(folder, relative);
  if (!existsSync(entry))
    throw new EdgeError('EDGE_MODULE_UNKNOWN', `${file}: "main" is not there: ${entry}`);
  return entry;
}
