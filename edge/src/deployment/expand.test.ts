// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the tools look like that
import { describe, expect, it } from '@jest/globals';
import { expandTemplate, manifestFileName } from './expand.ts';

const moduleFile = (repository: string): string =>
  JSON.stringify({
    '$schema-version': '0.0.1',
    description: '',
    image: {
      repository,
      tag: {
        version: '1.2.${BUILD}',
        platforms: {
          amd64: './Dockerfile.amd64',
          'amd64.debug': './D',
          arm64v8: './Dockerfile.arm64',
        },
      },
      buildOptions: [],
      contextPath: './',
    },
    language: 'javascript',
  });

const readModuleFile = ({ name, path }: { name: string; path?: string }): string | undefined =>
  path !== undefined
    ? path === '../elsewhere/Other'
      ? moduleFile('$REGISTRY/other')
      : undefined
    : name === 'Filter' || name === 'a.b'
      ? moduleFile(`$REGISTRY/Team/${name}`)
      : undefined;

const variables = {
  REGISTRY: 'Registry.Example:5000',
  BUILD: '7',
  SECRET: 'k="v"',
  LEVEL: 'debug',
};

const aTemplate = (image: string, createOptions: unknown = {}): string =>
  JSON.stringify({
    '$schema-template': '4.0.0',
    modulesContent: {
      $edgeAgent: {
        'properties.desired': {
          schemaVersion: '1.1',
          modules: { m: { settings: { image, createOptions } } },
        },
      },
    },
  });

const imageOf = (image: string, platform?: string): unknown => {
  const manifest = expandTemplate({
    template: aTemplate(image),
    variables,
    readModuleFile,
    ...(platform === undefined ? {} : { platform }),
  }) as {
    modulesContent: Record<
      string,
      Record<string, Record<string, Record<string, Record<string, { image: string }>>>>
    >;
  };
  return manifest.modulesContent.$edgeAgent?.['properties.desired']?.modules?.m?.settings?.image;
};

describe('expandTemplate', () => {
  it('makes the manifest that the rules of the tools give', () => {
    const template = `{
      "$schema-template": "4.0.0",
      "modulesContent": {
        "$edgeAgent": { "properties.desired": {
          "schemaVersion": "1.1",
          "runtime": { "type": "docker", "settings": { "registryCredentials": {
            "r": { "address": "$REGISTRY", "username": "\${USERNAME}", "password": "$SECRET" } } } },
          "systemModules": {
            "edgeAgent": { "type": "docker", "settings": { "image": "mcr/agent:1.6", "createOptions": "" } },
            "edgeHub": { "type": "docker", "settings": { "image": "mcr/hub:1.6",
              "createOptions": { "HostConfig": { "PortBindings": { "8883/tcp": [ { "HostPort": "8883" } ] } } } } }
          },
          "modules": {
            "filter": { "type": "docker", "settings": {
              "image": "\${MODULES.Filter}", "createOptions": { "Env": [ "S=$SECRET" ] } },
              "env": { "LEVEL": { "value": "\${LEVEL}" } } },
            "temp": { "type": "docker", "settings": { "image": "mcr/temp:1.0", "createOptions": "{}" } }
          } } },
        "$edgeHub": { "properties.desired": { "schemaVersion": "1.2",
          "routes": { "up": "FROM /messages/* INTO $upstream" } } }
      }
    }`;
    expect(expandTemplate({ template, variables, readModuleFile })).toEqual({
      modulesContent: {
        $edgeAgent: {
          'properties.desired': {
            schemaVersion: '1.1',
            runtime: {
              type: 'docker',
              settings: {
                registryCredentials: {
                  r: {
                    address: 'Registry.Example:5000',
                    username: '${USERNAME}',
                    password: 'k="v"',
                  },
                },
              },
            },
            systemModules: {
              edgeAgent: {
                type: 'docker',
                settings: { image: 'mcr/agent:1.6', createOptions: '' },
              },
              edgeHub: {
                type: 'docker',
                settings: {
                  image: 'mcr/hub:1.6',
                  createOptions:
                    '{"HostConfig":{"PortBindings":{"8883/tcp":[{"HostPort":"8883"}]}}}',
                },
              },
            },
            modules: {
              filter: {
                type: 'docker',
                settings: {
                  image: 'registry.example:5000/team/filter:1.2.7-amd64',
                  createOptions: '{"Env":["S=k=\\"v\\""]}',
                },
                env: { LEVEL: { value: 'debug' } },
              },
              temp: { type: 'docker', settings: { image: 'mcr/temp:1.0', createOptions: '{}' } },
            },
          },
        },
        $edgeHub: {
          'properties.desired': {
            schemaVersion: '1.2',
            routes: { up: 'FROM /messages/* INTO $upstream' },
          },
        },
      },
    });
  });

  const filter = 'registry.example:5000/team/filter:1.2.7';
  it.each([
    ['${MODULES.Filter}', undefined, `${filter}-amd64`],
    ['${MODULES.Filter}', 'arm64v8', `${filter}-arm64v8`],
    ['${MODULES.Filter.amd64}', 'arm64v8', `${filter}-amd64`],
    ['${MODULES.Filter.debug}', undefined, `${filter}-amd64.debug`],
    ['${MODULES.Filter.amd64.debug}', 'arm64v8', `${filter}-amd64.debug`],
    ['${MODULES.a.b}', undefined, 'registry.example:5000/team/a.b:1.2.7-amd64'],
    ['${MODULEDIR<../elsewhere/Other>}', undefined, 'registry.example:5000/other:1.2.7-amd64'],
    [
      '${MODULEDIR<../elsewhere/Other>.debug}',
      undefined,
      'registry.example:5000/other:1.2.7-amd64.debug',
    ],
    ['prefix/${MODULES.Filter}', undefined, 'prefix/${MODULES.Filter}'],
    ['$REGISTRY/plain:1', undefined, 'Registry.Example:5000/plain:1'],
  ])('the image %s on platform %s is %s', (image, platform, expected) => {
    expect(imageOf(image, platform)).toBe(expected);
  });

  const refusal = (template: string): string => {
    try {
      expandTemplate({ template, variables, readModuleFile });
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('expanded');
  };

  it('names the file that a placeholder needs', () => {
    expect(refusal(aTemplate('${MODULES.nothing}'))).toContain('modules/nothing/module.json');
  });

  it('names the platforms that a module has', () => {
    expect(refusal(aTemplate('${MODULES.Filter.arm64v8.debug}'))).toContain(
      'has no platform arm64v8.debug, only amd64, amd64.debug, arm64v8',
    );
  });

  it('refuses create options that need a ninth chunk once variables are in', () => {
    const template = aTemplate('mcr/x:1', { Env: ['A=$LONG'] });
    const long = { ...variables, LONG: 'x'.repeat(4200) };
    expect(() => expandTemplate({ template, variables: long, readModuleFile })).toThrow(
      /at most 4096/,
    );
  });

  it('says where the text is no JSON', () => {
    expect(refusal('{\n  "a": $NUMBER\n}')).toMatch(/line 2, column 8/);
  });
});

describe('manifestFileName', () => {
  const current = '{"$schema-template": "4.0.0"}';
  it.each([
    ['deployment.template.json', current, 'amd64', 'deployment.amd64.json'],
    ['deployment.debug.template.json', current, 'arm64v8', 'deployment.debug.arm64v8.json'],
    ['deployment.template.json', '{}', 'amd64', 'deployment.json'],
    ['deployment.template.json', '{"$schema-template": "0.0.1"}', 'amd64', 'deployment.json'],
  ])('%s with %s on %s becomes %s', (file, template, platform, expected) => {
    expect(manifestFileName(file, template, platform)).toBe(expected);
  });
});
