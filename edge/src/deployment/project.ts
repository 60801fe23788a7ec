import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Deployment, readManifest } from './deployment.ts';
import { DeploymentError } from './errors.ts';
import { expandTemplate, manifestFileName, parseJson } from './expand.ts';
import { parseEnvironmentFile, type Variables } from './variables.ts';

export interface ProjectOptions {
  /** One of the two. */
  template?: string | undefined;
  manifest?: string | undefined;
  /** @default amd64, or DEFAULT_PLATFORM of the variables */
  platform?: string | undefined;
  /** Win over the `.env` file. */
  environment?: Variables | undefined;
  /** @default `.env` beside the template, when there is one */
  environmentFile?: string | undefined;
  /** Where `modules/` is. @default the folder of the template or manifest */
  projectDir?: string | undefined;
}

export interface Project {
  projectDir: string;
  variables: Variables;
  platform: string;
  /** The manifest as it goes to a device. */
  manifest: Record<string, unknown>;
  /** `config/deployment.amd64.json` or so, relative to the project; absent when a manifest was given. */
  manifestFile?: string;
}

/**
 * Reads a template or a manifest with all that belongs to it.
 * @throws DeploymentError
 */
export function openProject(options: ProjectOptions): Project {
  const file = options.manifest ?? options.template;
  if (file === undefined || (options.manifest !== undefined && options.template !== undefined))
    throw new DeploymentError('EDGE_MANIFEST_INVALID', 'give either a template or a manifest');
  const projectDir = path.resolve(options.projectDir ?? path.dirname(file));
  const text = readText(file);
  const variables = projectVariables(options, projectDir);
  const platform = options.platform ?? variables.DEFAULT_PLATFORM ?? 'amd64';
  if (options.manifest !== undefined)
    return { projectDir, variables, platform, manifest: parseJson(text, file) };
  const manifest = expandTemplate({
    template: text,
    variables,
    platform,
    readModuleFile: ({ name, path: folder }) => {
      const parent =
        folder === undefined
          ? path.join(projectDir, 'modules', name)
          : path.resolve(path.dirname(file), folder);
      const moduleFile = path.join(parent, 'module.json');
      return existsSync(moduleFile) ? readText(moduleFile) : undefined;
    },
  });
  const manifestFile = path.join('config', manifestFileName(path.basename(file), text, platform));
  return { projectDir, variables, platform, manifest, manifestFile };
}

/** @throws DeploymentError */
export function readDeployment(options: ProjectOptions): Project & { deployment: Deployment } {
  const project = openProject(options);
  return { ...project, deployment: readManifest(project.manifest) };
}

function projectVariables(options: ProjectOptions, projectDir: string): Variables {
  const file = options.environmentFile ?? path.join(projectDir, '.env');
  const text = options.environmentFile !== undefined || existsSync(file) ? readText(file) : '';
  return { ...parseEnvironmentFile(text), ...options.environment };
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DeploymentError(
      'EDGE_FILE_UNREADABLE',
      `cannot read ${file}: ${(error as Error).message}`,
    );
  }
}
