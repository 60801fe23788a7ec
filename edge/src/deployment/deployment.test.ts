import { describe, expect, it } from '@jest/globals';
import { readManifest } from './deployment.ts';
import type { DeploymentError } from './errors.ts';
import { unsupported } from './support.ts';

type Tree = Record<string, unknown>;

function aManifest(
  parts: { agent?: Tree; hub?: Tree; modules?: Tree; twins?: Tree; edgeHub?: Tree } = {},
): Tree {
  const module = { type: 'docker', settings: { image: 'mcr/x:1', createOptions: '' } };
  return {
    modulesContent: {
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          runtime: { type: 'docker', settings: {} },
          systemModules: { edgeAgent: module, edgeHub: { ...module, ...parts.edgeHub } },
          modules: parts.modules ?? {},
          ...parts.agent,
        },
      },
      $edgeHub: { 'properties.desired': { schemaVersion: '1.2', routes: {}, ...parts.hub } },
      ...parts.twins,
    },
  };
}

const withOptions = (createOptions: unknown): Tree => ({
  type: 'docker',
  settings: { image: 'mcr/m:1', createOptions: JSON.stringify(createOptions) },
});

const problemsOf = (manifest: Tree): string[] => {
  try {
    readManifest(manifest);
    return [];
  } catch (error) {
    return (error as DeploymentError).problems.map(({ path, allowed }) => `${path}: ${allowed}`);
  }
};

describe('readManifest', () => {
  it('fills in what edgeAgent and edgeHub assume', () => {
    const { modules, routes, timeToLiveSecs, desired } = readManifest(
      aManifest({
        modules: {
          m: {
            type: 'docker',
            settings: { image: 'i', createOptions: '{"Env":', createOptions01: '["A=1"]}' },
            env: { N: { value: 5 } },
          },
        },
        hub: {
          routes: {
            a: 'FROM /* INTO $upstream',
            b: { route: 'FROM /* INTO $upstream', priority: 3, timeToLiveSecs: 60 },
          },
        },
        twins: { m: { 'properties.desired': { x: 1 } } },
      }),
    );
    expect(modules).toEqual([
      {
        id: 'm',
        image: 'i',
        createOptions: { Env: ['A=1'] },
        env: { N: '5' },
        status: 'running',
        restartPolicy: 'on-unhealthy',
        startupOrder: 4_294_967_295,
      },
    ]);
    expect(routes).toEqual({
      a: { route: 'FROM /* INTO $upstream', priority: 9, timeToLiveSecs: 0 },
      b: { route: 'FROM /* INTO $upstream', priority: 3, timeToLiveSecs: 60 },
    });
    expect(timeToLiveSecs).toBe(-1);
    expect(desired).toEqual({ m: { x: 1 } });
  });

  it('reads the older root and the content wrapper', () => {
    const { modulesContent } = aManifest();
    expect(problemsOf({ moduleContent: modulesContent })).toEqual([]);
    expect(problemsOf({ content: { modulesContent } })).toEqual([]);
  });

  const agentPath = 'modulesContent.$edgeAgent.properties.desired';
  const hubPath = 'modulesContent.$edgeHub.properties.desired';
  it.each<[Tree, string]>([
    [
      aManifest({ agent: { schemaVersion: '1.2' } }),
      `${agentPath}.schemaVersion: must be "1.0" or "1.1"`,
    ],
    [aManifest({ hub: { schemaVersion: '1.4' } }), `${hubPath}.schemaVersion: must be "1.0"`],
    [
      aManifest({
        hub: { schemaVersion: '1.0', routes: { a: { route: 'FROM /* INTO $upstream' } } },
      }),
      `${hubPath}.routes.a: a route object needs schemaVersion 1.1`,
    ],
    [
      aManifest({ hub: { schemaVersion: '1.1', mqttBroker: {} } }),
      `${hubPath}.mqttBroker: the broker section needs schemaVersion 1.2`,
    ],
    [
      aManifest({ hub: { routes: { 'a.b': 'FROM /* INTO $upstream' } } }),
      'must be one or more characters other than . $ # and space',
    ],
    [
      aManifest({ hub: { routes: { a: { route: 'FROM /* INTO $upstream', priority: 10 } } } }),
      `${hubPath}.routes.a`,
    ],
    [
      aManifest({ hub: { routes: { a: 'FROM /* WHERE x > 1 INTO $upstream' } } }),
      `${hubPath}.routes.a: does not compile: '>' needs`,
    ],
    [aManifest({ hub: { routes: { a: ' ' } } }), `${hubPath}.routes.a: does not compile`],
    [aManifest({ modules: { m: { settings: { image: 'i' } } } }), `${agentPath}.modules.m.type`],
    [
      aManifest({ modules: { m: { type: 'docker', settings: {} } } }),
      `${agentPath}.modules.m.settings.image: is missing`,
    ],
    [
      aManifest({ modules: { m: { ...withOptions({}), restartPolicy: 'sometimes' } } }),
      'must be "never" or "on-failure" or "on-unhealthy" or "always"',
    ],
    [
      aManifest({ modules: { m: { ...withOptions({}), startupOrder: -1 } } }),
      `${agentPath}.modules.m.startupOrder`,
    ],
    [
      aManifest({ modules: { m: { ...withOptions({}), colour: 'red' } } }),
      `${agentPath}.modules.m.colour: is not a known name`,
    ],
    [
      aManifest({
        modules: { m: { type: 'docker', settings: { image: 'i', createOptions: '{' } } },
      }),
      `${agentPath}.modules.m.settings.createOptions: must be the text of a JSON object`,
    ],
    [
      aManifest({
        modules: { m: { type: 'docker', settings: { image: 'i', createOptions1: '{' } } },
      }),
      `${agentPath}.modules.m.settings.createOptions1: is not a known name`,
    ],
    [
      aManifest({ modules: { m: { ...withOptions({}), env: { A: 'x' } } } }),
      `${agentPath}.modules.m.env.A: must be an object`,
    ],
    [
      aManifest({ twins: { m: { 'properties.desired.x': 1 } } }),
      'modulesContent.m.properties.desired.x: belongs to a layered deployment',
    ],
    [{ modulesContent: {} }, 'modulesContent.$edgeAgent: is missing'],
  ])('refuses case %#', (manifest, expected) => {
    expect(problemsOf(manifest).join('\n')).toContain(expected);
  });

  it('ignores a blank route in schema 1.0 only', () => {
    expect(
      readManifest(aManifest({ hub: { schemaVersion: '1.0', routes: { a: '' } } })).routes,
    ).toEqual({});
  });

  it('says everything that is wrong at once', () => {
    const manifest = aManifest({
      modules: { a: { type: 'pod', settings: {} }, b: { ...withOptions({}), status: 'asleep' } },
    });
    expect(problemsOf(manifest).length).toBeGreaterThanOrEqual(3);
  });
});

describe('unsupported', () => {
  const options = 'modulesContent.$edgeAgent.properties.desired.modules.m.settings.createOptions';
  const refused = (manifest: Tree): string[] =>
    unsupported(readManifest(manifest)).map(({ path }) => path);

  it.each<[string, unknown, string]>([
    ['host network', { HostConfig: { NetworkMode: 'host' } }, `${options}.HostConfig.NetworkMode`],
    ['privileges', { HostConfig: { Privileged: true } }, `${options}.HostConfig.Privileged`],
    [
      'devices',
      { HostConfig: { Devices: [{ PathOnHost: '/dev/i2c' }] } },
      `${options}.HostConfig.Devices`,
    ],
    ['memory limits', { HostConfig: { Memory: 1 } }, `${options}.HostConfig.Memory`],
    ['capabilities', { HostConfig: { CapAdd: ['NET_ADMIN'] } }, `${options}.HostConfig.CapAdd`],
    ['another command', { Cmd: ['sh'] }, `${options}.Cmd`],
    ['another entry point', { Entrypoint: ['sh'] }, `${options}.Entrypoint`],
    [
      'other log drivers',
      { HostConfig: { LogConfig: { Type: 'journald' } } },
      `${options}.HostConfig.LogConfig.Type`,
    ],
    [
      'tmpfs',
      { HostConfig: { Mounts: [{ Type: 'tmpfs', Source: 'x', Target: '/t' }] } },
      `${options}.HostConfig.Mounts[0].Type`,
    ],
  ])('names %s', (_, createOptions, path) => {
    expect(refused(aManifest({ modules: { m: withOptions(createOptions) } }))).toEqual([path]);
  });

  it('names what edgeHub can do and this hub cannot', () => {
    const hub = 'modulesContent.$edgeHub.properties.desired';
    expect(
      refused(
        aManifest({
          hub: {
            schemaVersion: '1.3',
            mqttBroker: {},
            integrity: {},
            storeAndForwardConfiguration: { timeToLiveSecs: 1, storeLimits: { maxSizeBytes: 1 } },
          },
          edgeHub: { env: { experimentalFeatures__enabled: { value: 'true' } } },
        }),
      ),
    ).toEqual([
      `${hub}.mqttBroker`,
      `${hub}.integrity`,
      `${hub}.storeAndForwardConfiguration.storeLimits`,
      'modulesContent.$edgeAgent.properties.desired.systemModules.edgeHub.env.experimentalFeatures__enabled',
    ]);
  });

  it('takes everything that the local edge simulates', () => {
    const createOptions = {
      Env: ['A=1'],
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Binds: ['data:/data', '/srv/x:/x:ro'],
        Mounts: [{ Type: 'volume', Source: 'v', Target: '/v' }],
        PortBindings: { '80/tcp': [{ HostPort: '80' }] },
        LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
        RestartPolicy: { Name: 'always' },
      },
    };
    expect(refused(aManifest({ modules: { m: withOptions(createOptions) } }))).toEqual([]);
  });
});
