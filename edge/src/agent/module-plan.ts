import { mkdirSync } from 'node:fs';
import type { Problem } from '@holdfast/contracts';
import type { DeployedModule, Deployment } from '../deployment/deployment.ts';
import { DeploymentError } from '../deployment/errors.ts';
import { unsupported } from '../deployment/support.ts';
import { type Variables, variablesIn } from '../deployment/variables.ts';
import { type ContainerOptions, readContainerOptions } from './container-options.ts';
import { type ContainerView, type HostView, hostView, portsNeeded } from './container-view.ts';
import type { ModuleCommand } from './edge-handle.ts';
import { findModuleCode } from './image-folders.ts';
import { stablePort } from './ports.ts';
import type { StateFolder } from './state-folder.ts';

/** How one module runs on this machine. */
export interface ModulePlan {
  module: DeployedModule;
  options: ContainerOptions;
  entry: string;
  args: readonly string[];
  folder: string;
  view: HostView;
}

/**
 * Refuses what cannot run here, before anything is started.
 * @throws DeploymentError EDGE_NOT_SIMULATED, EDGE_MANIFEST_INVALID
 */
export function checkRunnable(deployment: Deployment, leafDevices: readonly string[] = []): void {
  const problems = [
    ...unsupported(deployment),
    ...leafDevices.flatMap((id) => leafProblem(id, deployment)),
  ];
  if (problems.length > 0)
    throw new DeploymentError(
      'EDGE_NOT_SIMULATED',
      'the local edge cannot run this deployment:',
      problems,
    );
  const missing = deployment.modules.flatMap(unsetVariables);
  if (missing.length > 0)
    throw new DeploymentError(
      'EDGE_MANIFEST_INVALID',
      'variables have no value; set them, or copy .env.template to .env and fill it in:',
      missing,
    );
}

/** The hub knows modules and leaf devices by one list of names. */
function leafProblem(id: string, { modules }: Deployment): Problem[] {
  const right =
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id) && modules.every((module) => module.id !== id);
  return right
    ? []
    : [
        {
          path: 'leafDevices',
          value: id,
          allowed: 'must be letters, digits and - _ . and no module has it',
        },
      ];
}

function unsetVariables({ id, env, createOptions }: DeployedModule): Problem[] {
  const path = `modulesContent.$edgeAgent.properties.desired.modules.${id}`;
  const named = (where: string, text: string): Problem[] =>
    variablesIn(text).map((name) => ({ path: where, allowed: `needs a value for $${name}` }));
  return [
    ...Object.entries(env).flatMap(([name, value]) => named(`${path}.env.${name}`, value)),
    ...named(`${path}.settings.createOptions`, JSON.stringify(createOptions)),
  ];
}

export interface PlanOptions {
  state: StateFolder;
  projectDir: string;
  moduleFolders: readonly string[];
  moduleCommand: Readonly<Record<string, ModuleCommand>>;
  variables: Variables;
}

/** Finds code, folders and ports of a module. @throws EdgeError EDGE_MODULE_UNKNOWN */
export async function planModule(module: DeployedModule, plan: PlanOptions): Promise<ModulePlan> {
  const options = containerOptionsOf(module);
  const command = plan.moduleCommand[module.id];
  const code =
    command === undefined
      ? findModuleCode(module.image, plan.moduleFolders, plan.variables)
      : { entry: command.entry, folder: plan.projectDir };
  const container: ContainerView = {
    options,
    env: module.env,
    image: module.image,
    moduleDir: code.folder,
    volumesDir: plan.state.volumes,
    projectDir: plan.projectDir,
  };
  const ports = new Map<string, number>();
  for (const port of portsNeeded(container))
    ports.set(port, await stablePort(plan.state, `${module.id}/${port}`));
  const view = hostView(container, (port) => ports.get(port) ?? 0);
  for (const volume of view.volumes) mkdirSync(volume, { recursive: true });
  return {
    module,
    options,
    entry: code.entry,
    args: command?.args ?? [],
    folder: code.folder,
    view,
  };
}

export function containerOptionsOf(module: DeployedModule): ContainerOptions {
  const { options, problems } = readContainerOptions(module.createOptions, module.id);
  if (options === undefined)
    throw new DeploymentError('EDGE_NOT_SIMULATED', `${module.id} cannot run here:`, problems);
  return options;
}

/** Where the module's HTTP server is, by its first port that is not for debugging. */
export function urlOf({ env, ports }: HostView): string | undefined {
  const [name] = Object.keys(ports)
    .filter((each) => each !== 'INSPECTOR')
    .sort((a, b) => Number(b.includes('HTTP')) - Number(a.includes('HTTP')));
  if (name === undefined) return undefined;
  const tls = env[name.replace(/_PORT$/, '_TLS')];
  const plain = tls === undefined || ['', 'off', 'false', '0'].includes(tls);
  return `${plain ? 'http' : 'https'}://127.0.0.1:${ports[name]}`;
}
