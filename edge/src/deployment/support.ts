import type { Problem } from '@holdfast/contracts';
import { readContainerOptions } from '../agent/container-options.ts';
import type { DeployedModule, Deployment } from './deployment.ts';

/** Variables of the system modules that the local edge follows or that change nothing on one machine. */
const hubVariables = [
  ...['storageFolder', 'OptimizeForPerformance', 'UpstreamProtocol', 'RuntimeLogLevel'],
  ...['SslProtocols', 'amqpSettings__enabled', 'httpSettings__enabled', 'mqttSettings__enabled'],
];
const agentVariables = [
  ...['storageFolder', 'UpstreamProtocol', 'RuntimeLogLevel', 'SendRuntimeQualityTelemetry'],
  ...['MaxRestartCount', 'IntensiveCareTimeInMinutes'],
];

const desired = 'modulesContent.$edgeAgent.properties.desired';
const notSimulated = 'is not simulated by the local edge';

/** Everything in a right manifest that the local edge does not simulate, by name. */
export function unsupported(deployment: Deployment): Problem[] {
  const { hub, edgeAgent, edgeHub, modules } = deployment;
  const hubPath = 'modulesContent.$edgeHub.properties.desired';
  const problems: Problem[] = [];
  if (hub.mqttBroker !== undefined)
    problems.push({ path: `${hubPath}.mqttBroker`, allowed: notSimulated });
  if (hub.integrity !== undefined)
    problems.push({ path: `${hubPath}.integrity`, allowed: notSimulated });
  if (hub.storeAndForwardConfiguration.storeLimits !== undefined)
    problems.push({
      path: `${hubPath}.storeAndForwardConfiguration.storeLimits`,
      allowed: notSimulated,
    });
  for (const [module, group] of [
    [edgeAgent, 'systemModules'],
    [edgeHub, 'systemModules'],
    ...modules.map((each) => [each, 'modules'] as const),
  ] as const) {
    const path = `${desired}.${group}.${module.id}.settings.createOptions`;
    problems.push(...readContainerOptions(module.createOptions, path).problems);
  }
  problems.push(...variableProblems(edgeAgent, agentVariables));
  problems.push(...variableProblems(edgeHub, hubVariables));
  if (edgeHub.env.mqttSettings__enabled?.toLowerCase() === 'false')
    problems.push({
      path: `${desired}.systemModules.edgeHub.env.mqttSettings__enabled`,
      value: '"false"',
      allowed: 'must be left out or true: modules connect by MQTT',
    });
  return problems;
}

function variableProblems(module: DeployedModule, known: readonly string[]): Problem[] {
  return Object.keys(module.env)
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: `${desired}.systemModules.${module.id}.env.${name}`,
      allowed: `${notSimulated}, only ${known.join(', ')}`,
    }));
}
