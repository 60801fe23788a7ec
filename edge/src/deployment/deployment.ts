import {
  type AgentDesired,
  check,
  DeploymentManifest,
  describeProblem,
  type HubDesired,
  type ModuleDeployment,
  type Problem,
} from '@holdfast/contracts';
import { compileRoute } from '../routes/index.ts';
import { joinCreateOptions } from './create-options.ts';
import { DeploymentError } from './errors.ts';

/** A Docker ContainerCreate body; only what the local edge knows is looked at, see support.ts. */
export type CreateOptions = Record<string, unknown>;

export interface DeployedModule {
  id: string;
  image: string;
  createOptions: CreateOptions;
  env: Record<string, string>;
  status: ModuleDeployment['status'];
  restartPolicy: ModuleDeployment['restartPolicy'];
  startupOrder: number;
}

export interface DeployedRoute {
  route: string;
  /** 0 is best. A route without priority ranks after 9 in edgeHub; here it shares 9. */
  priority: number;
  /** 0: the hub's own time to live. */
  timeToLiveSecs: number;
}

/** A manifest after all checks, in the form that the supervisor works with. */
export interface Deployment {
  modules: DeployedModule[];
  edgeAgent: DeployedModule;
  edgeHub: DeployedModule;
  routes: Record<string, DeployedRoute>;
  /** Negative: for ever. */
  timeToLiveSecs: number;
  /** Desired properties by module id. */
  desired: Record<string, Record<string, unknown>>;
  hub: HubDesired;
  agent: AgentDesired;
}

const PRIORITY_LAST = 9;

/**
 * Checks a manifest and puts it in working form.
 * @throws DeploymentError EDGE_MANIFEST_INVALID with everything that is wrong
 */
export function readManifest(document: Record<string, unknown>): Deployment {
  const problems: Problem[] = [];
  const checked = check(DeploymentManifest, withOneRoot(document));
  if (!checked.ok)
    throw new DeploymentError(
      'EDGE_MANIFEST_INVALID',
      'the manifest is refused:',
      checked.problems,
    );
  const { $edgeAgent, $edgeHub, ...twins } = checked.value.modulesContent;
  const agent = $edgeAgent['properties.desired'];
  const hub = $edgeHub['properties.desired'];
  const path = 'modulesContent.$edgeAgent.properties.desired';
  const deployed = (id: string, module: Partial<ModuleDeployment>, at: string): DeployedModule =>
    deployedModule(id, module, `${path}.${at}.${id}`, problems);
  const deployment: Deployment = {
    agent,
    hub,
    edgeAgent: deployed('edgeAgent', agent.systemModules.edgeAgent, 'systemModules'),
    edgeHub: deployed('edgeHub', agent.systemModules.edgeHub, 'systemModules'),
    modules: Object.entries(agent.modules).map(([id, module]) => deployed(id, module, 'modules')),
    routes: deployedRoutes(hub, problems),
    timeToLiveSecs: hub.storeAndForwardConfiguration.timeToLiveSecs,
    desired: Object.fromEntries(
      Object.entries(twins).map(([id, twin]) => [
        id,
        (twin as { 'properties.desired': Record<string, unknown> })['properties.desired'],
      ]),
    ),
  };
  if (problems.length > 0)
    throw new DeploymentError('EDGE_MANIFEST_INVALID', 'the manifest is refused:', problems);
  return deployment;
}

/** Older manifests say `moduleContent`, and the service's REST API wraps everything in `content`. */
function withOneRoot(document: Record<string, unknown>): Record<string, unknown> {
  const { content, moduleContent, ...rest } = document;
  if (typeof content === 'object' && content !== null)
    return withOneRoot(content as Record<string, unknown>);
  return moduleContent === undefined ? document : { modulesContent: moduleContent, ...rest };
}

function deployedModule(
  id: string,
  module: Partial<ModuleDeployment>,
  path: string,
  problems: Problem[],
): DeployedModule {
  const { image = '', ...settings } = module.settings ?? {};
  return {
    id,
    image,
    createOptions: parseCreateOptions(joinCreateOptions(settings), path, problems),
    env: Object.fromEntries(
      Object.entries(module.env ?? {}).map(([name, { value }]) => [name, String(value)]),
    ),
    status: module.status ?? 'running',
    restartPolicy: module.restartPolicy ?? 'always',
    startupOrder: module.startupOrder ?? 0,
  };
}

function parseCreateOptions(text: string, path: string, problems: Problem[]): CreateOptions {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as CreateOptions;
  } catch {
    // Falls through to the same answer as JSON that is no object.
  }
  problems.push({
    path: `${path}.settings.createOptions`,
    value: text.length > 80 ? `${text.slice(0, 77)}...` : text,
    allowed: 'must be the text of a JSON object',
  });
  return {};
}

function deployedRoutes(hub: HubDesired, problems: Problem[]): Record<string, DeployedRoute> {
  const routes: Record<string, DeployedRoute> = {};
  for (const [name, given] of Object.entries(hub.routes)) {
    const route = typeof given === 'string' ? { route: given } : given;
    if (route.route.trim() === '' && hub.schemaVersion.startsWith('1.0')) continue;
    const problem = routeProblem(name, route.route);
    if (problem !== undefined) problems.push(problem);
    routes[name] = {
      route: route.route,
      priority: route.priority ?? PRIORITY_LAST,
      timeToLiveSecs: route.timeToLiveSecs ?? 0,
    };
  }
  return routes;
}

function routeProblem(name: string, text: string): Problem | undefined {
  try {
    compileRoute(text);
    return undefined;
  } catch (error) {
    return {
      path: `modulesContent.$edgeHub.properties.desired.routes.${name}`,
      allowed: `does not compile: ${(error as Error).message}`,
    };
  }
}

/** All problems as lines, for people. */
export const problemLines = (problems: readonly Problem[]): string[] =>
  problems.map(describeProblem);
