/*
 * Goal: what is deployed agrees with itself: templates, folders, variables, routes. Method: both templates of the
 * repository are validated and expanded, and the parts that a device depends on are compared with values written by
 * hand.
 */
import path from 'node:path';
import { runCommand, validateProject } from '@holdfast/edge';
import { describe, expect, it } from '@jest/globals';

const ROOT = path.resolve(__dirname, '../..');
const templates = ['deployment.template.json', 'deployment.debug.template.json'];

const environment = {
  CONTAINER_REGISTRY_SERVER: 'Registry.Example',
  CONTAINER_REGISTRY_USERNAME: 'u',
  CONTAINER_REGISTRY_PASSWORD: 'p',
  HOLDFAST_SITE: 'Plant "7"',
  HOLDFAST_HTTP_TOKEN: 't'.repeat(20),
  HOLDFAST_STORAGE_CONNECTION_STRING: 'AccountName=a;AccountKey=b==',
  HOLDFAST_MODEL_PATH: '/srv/model',
};

async function manifestOf(template: string) {
  const out: string[] = [];
  const error: string[] = [];
  const code = await runCommand(['manifest', '--template', path.join(ROOT, template), '-o', '-'], {
    out: (line) => out.push(line),
    error: (line) => error.push(line),
    environment,
    interrupted: Promise.resolve(),
  });
  expect({ code, error }).toEqual({ code: 0, error: [] });
  const { modulesContent } = JSON.parse(out.join('\n'));
  return {
    agent: modulesContent.$edgeAgent['properties.desired'],
    hub: modulesContent.$edgeHub['properties.desired'],
    twins: modulesContent,
  };
}

describe.each(templates)('%s', (template) => {
  it('agrees with folders, variables and what the local edge simulates', () => {
    expect(validateProject({ template: path.join(ROOT, template) })).toEqual({
      errors: [],
      warnings: [],
    });
  });

  it('has the routes of the stream protocol', async () => {
    const { hub } = await manifestOf(template);
    const to = (module: string, input: string): string =>
      `INTO BrokeredEndpoint("/modules/${module}/inputs/${input}")`;
    expect(hub).toMatchObject({
      schemaVersion: '1.2',
      routes: {
        readings: {
          route: `FROM /messages/modules/ingest/outputs/readings ${to('inference', 'readings')}`,
          timeToLiveSecs: 120,
        },
        scores: {
          route: `FROM /messages/modules/inference/outputs/scores ${to('forwarder', 'scores')}`,
          timeToLiveSecs: 120,
        },
        receipts: {
          route: `FROM /messages/modules/forwarder/outputs/receipts ${to('ingest', 'receipts')}`,
        },
        demands: {
          route: `FROM /messages/modules/inference/outputs/demands ${to('ingest', 'demands')}`,
        },
        devices: {
          route: `FROM /messages/* WHERE NOT IS_DEFINED($connectionModuleId) ${to('ingest', 'devices')}`,
        },
      },
    });
  });

  it('keeps the databases and the queue of the hub in volumes, bounds logs, and starts receivers first', async () => {
    const { agent } = await manifestOf(template);
    const all = { ...agent.modules, edgeHub: agent.systemModules.edgeHub };
    const targets: Record<string, string[]> = {};
    for (const [id, module] of Object.entries<{ settings: { createOptions: string } }>(all)) {
      const { HostConfig } = JSON.parse(module.settings.createOptions);
      expect(HostConfig.LogConfig.Config).toEqual({ 'max-size': '10m', 'max-file': '3' });
      targets[id] = HostConfig.Mounts.map(
        ({ Source, Target }: Record<string, string>) => `${Source}:${Target}`,
      );
    }
    expect(targets).toEqual({
      ingest: ['holdfast-ingest:/data'],
      inference: ['holdfast-inference:/data'],
      forwarder: ['holdfast-forwarder:/data'],
      edgeHub: ['holdfast-edgehub:/iotedge/storage'],
    });
    expect(agent.systemModules.edgeHub.env.storageFolder).toEqual({ value: '/iotedge/storage' });
    const order = Object.entries<{ startupOrder: number }>(all)
      .sort(([, a], [, b]) => a.startupOrder - b.startupOrder)
      .map(([id]) => id);
    expect(order).toEqual(['edgeHub', 'forwarder', 'inference', 'ingest']);
  });
});

describe('deployment.template.json', () => {
  it('gives ingest what a device needs', async () => {
    const { agent, twins } = await manifestOf('deployment.template.json');
    expect(agent.modules.ingest).toEqual({
      version: '0.1.0',
      type: 'docker',
      status: 'running',
      restartPolicy: 'always',
      startupOrder: 3,
      settings: {
        image: 'registry.example/holdfast-ingest:0.1.0-amd64',
        createOptions:
          '{"ExposedPorts":{"8080/tcp":{}},"HostConfig":{"LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}},"Mounts":[{"Type":"volume","Source":"holdfast-ingest","Target":"/data"}],"PortBindings":{"8080/tcp":[{"HostPort":"8080"}]}}}',
      },
      env: {
        HOLDFAST_SITE: { value: 'Plant "7"' },
        HOLDFAST_DATA_DIR: { value: '/data' },
        HOLDFAST_HTTP_HOST: { value: '0.0.0.0' },
        HOLDFAST_HTTP_PORT: { value: '8080' },
        HOLDFAST_HTTP_TOKEN: { value: 't'.repeat(20) },
        MALLOC_ARENA_MAX: { value: '1' },
        MALLOC_MMAP_THRESHOLD_: { value: '65536' },
        MALLOC_TRIM_THRESHOLD_: { value: '131072' },
      },
    });
    expect(twins.forwarder['properties.desired']).toEqual({
      egress: { allow: ['anomaly', 'rollup', 'gap'] },
    });
  });
});

describe('deployment.debug.template.json', () => {
  it('takes debug images and opens an inspector for each module', async () => {
    const { agent } = await manifestOf('deployment.debug.template.json');
    const inspectors = ['ingest', 'inference', 'forwarder'].map((id) => {
      const { image, createOptions } = agent.modules[id].settings;
      expect(image).toBe(`registry.example/holdfast-${id}:0.1.0-amd64.debug`);
      return JSON.parse(createOptions).HostConfig.PortBindings['9229/tcp'][0].HostPort;
    });
    expect(inspectors).toEqual(['9229', '9230', '9231']);
  });
});
