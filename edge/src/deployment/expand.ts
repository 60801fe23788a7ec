import { check, ModuleFile, type Problem } from '@holdfast/contracts';
import { CREATE_OPTIONS_LENGTH_MAX, chunkCreateOptions } from './create-options.ts';
import { DeploymentError } from './errors.ts';
import { imageName, parseImage } from './images.ts';
import { jsonErrorPlace } from './json-place.ts';
import { expandVariables, type Variables } from './variables.ts';

export interface ExpandOptions {
  /** Text of the template. */
  template: string;
  variables: Variables;
  /** @default amd64 */
  platform?: string;
  /**
   * Text of the module.json of a folder, undefined when there is none. The folder is a name under `modules/`, or,
   * from `${MODULEDIR<..>}`, a path relative to the template.
   */
  readModuleFile(folder: { name: string; path?: string }): string | undefined;
}

type Tree = Record<string, unknown>;

/**
 * Makes a deployment manifest from a template, as the IoT Edge tools do: variables, then images, then create options
 * as text in chunks.
 * @throws DeploymentError EDGE_NOT_JSON, EDGE_MANIFEST_INVALID with all placeholders that cannot be resolved
 */
export function expandTemplate(options: ExpandOptions): Tree {
  const document = parseJson(expandVariables(options.template, options.variables), 'the template');
  const problems: Problem[] = [];
  const { '$schema-template': _, ...manifest } = document;
  forEachSettings(manifest, (settings, path) => {
    expandSettings(settings, path, options, problems);
  });
  if (problems.length > 0)
    throw new DeploymentError(
      'EDGE_MANIFEST_INVALID',
      'the template cannot be expanded:',
      problems,
    );
  return manifest;
}

function expandSettings(
  settings: Tree,
  path: string,
  options: ExpandOptions,
  problems: Problem[],
): void {
  if (typeof settings.image === 'string') {
    const image = resolveImage(settings.image, options);
    if (typeof image === 'string') settings.image = image;
    else problems.push({ path: `${path}.image`, value: settings.image, allowed: image.problem });
  }
  const chunked = chunkCreateOptions(settings);
  if (chunked === undefined) {
    problems.push({
      path: `${path}.createOptions`,
      allowed: `must have at most ${CREATE_OPTIONS_LENGTH_MAX} characters as text after variables are expanded`,
    });
    return;
  }
  for (const key of Object.keys(settings)) delete settings[key];
  Object.assign(settings, chunked);
}

function resolveImage(image: string, options: ExpandOptions): string | { problem: string } {
  const placeholder = parseImage(image, options.platform ?? 'amd64');
  if (placeholder === undefined) return image;
  const { name, folder, platform } = placeholder;
  const where = folder ?? `modules/${name}`;
  const text = options.readModuleFile(folder === undefined ? { name } : { name, path: folder });
  if (text === undefined) return { problem: `needs a file ${where}/module.json` };
  const checked = check(ModuleFile, parseJson(expandVariables(text, options.variables), where));
  if (!checked.ok) {
    const first = checked.problems[0];
    return { problem: `${where}/module.json: ${first?.path} ${first?.allowed}` };
  }
  const platforms = Object.keys(checked.value.image.tag.platforms).join(', ');
  return (
    imageName(checked.value, platform) ?? {
      problem: `${where}/module.json has no platform ${platform}, only ${platforms}`,
    }
  );
}

/** Calls back for the `settings` of each module, edgeAgent and edgeHub; the tree may be anything. */
function forEachSettings(manifest: Tree, visit: (settings: Tree, path: string) => void): void {
  for (const root of ['modulesContent', 'moduleContent']) {
    const desired = child(child(child(manifest, root), '$edgeAgent'), 'properties.desired');
    for (const group of ['systemModules', 'modules']) {
      for (const [id, module] of Object.entries(child(desired, group) ?? {})) {
        const settings = isTree(module) ? child(module, 'settings') : undefined;
        if (settings !== undefined)
          visit(settings, `${root}.$edgeAgent.properties.desired.${group}.${id}.settings`);
      }
    }
  }
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function child(tree: Tree | undefined, key: string): Tree | undefined {
  const value = tree?.[key];
  return isTree(value) ? value : undefined;
}

/** @throws DeploymentError EDGE_NOT_JSON with line and column */
export function parseJson(text: string, what: string): Tree {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const { line, column } = jsonErrorPlace(text);
    throw new DeploymentError(
      'EDGE_NOT_JSON',
      `${what} is not JSON at line ${line}, column ${column}: ${(error as Error).message} (an unset variable that is not in quotes?)`,
    );
  }
  if (!isTree(document)) throw new DeploymentError('EDGE_NOT_JSON', `${what} is not a JSON object`);
  return document;
}

/** `deployment.debug.template.json` and `amd64` become `deployment.debug.amd64.json`. */
export function manifestFileName(templateFile: string, template: string, platform: string): string {
  const prefix = templateFile.replace(/\.template\.json$|\.json$/, '');
  const version = /"\$schema-template"\s*:\s*"(\d+)\.(\d+)\.(\d+)"/.exec(template);
  const [major = 0, minor = 0, patch = 0] = version?.slice(1).map(Number) ?? [];
  const infix = major > 0 || minor > 0 || patch > 1 ? `.${platform}` : '';
  return `${prefix}${infix}.json`;
}
